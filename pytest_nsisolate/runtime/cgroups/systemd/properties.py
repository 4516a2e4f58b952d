"""``linux.resources`` as properties of a unit (systemd.resource-control(5)).

They are the same for v1 and v2: systemd converts them where it has to.
"""

from __future__ import annotations

from ..v2 import weight_of_shares
from .device_properties import device_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...resources import BlockIO, Cpu, Memory, Resources

    #: Its name, and its value with the D-Bus signature of that.
    Property = tuple[str, tuple[str, object]]

_INFINITY = 2**64 - 1
_DEFAULT_PERIOD = 100_000
#: systemd keeps a quota as a percentage of one CPU: of microseconds a second.
_PERCENT = 10_000
_USEC = 1_000_000
#: Files of cgroup v2 that hold one number, or "max".
_NUMBERS = {
    "memory.max": "MemoryMax",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
    "cpu.weight": "CPUWeight",
    "io.weight": "IOWeight",
}
_SETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}


def properties(resources: Resources, *, on_v1: bool) -> list[Property]:
    """Return the properties for what *resources* ask for; what systemd has no property for is not there.

    Raises UnsupportedError for device rules that it would undo on v1.
    """
    found: list[Property] = []
    if resources.memory is not None:
        found += _memory(resources.memory)
    if resources.cpu is not None:
        found += _cpu(resources.cpu)
    if resources.pids_limit is not None:
        limit = resources.pids_limit
        found.append(_number("TasksMax", limit if limit > 0 else _INFINITY))
    if resources.block_io is not None:
        found += _block_io(resources.block_io)
    for name, value in resources.unified:
        found += _unified(name, value.strip())
    if resources.devices:
        found += device_properties(resources.devices, on_v1=on_v1)
    return found


def _number(name: str, value: int) -> Property:
    return name, ("t", value)


def _bytes(name: str, value: int) -> Property:
    return _number(name, _INFINITY if value < 0 else value)


def _memory(memory: Memory) -> list[Property]:
    found = []
    if memory.limit:
        found.append(_bytes("MemoryMax", memory.limit))
    if memory.reservation:
        found.append(_bytes("MemoryLow", memory.reservation))
    if memory.swap and memory.swap < 0:
        found.append(_number("MemorySwapMax", _INFINITY))
    elif memory.swap and memory.limit and memory.limit > 0:
        # The spec's value is that of both together.
        found.append(_number("MemorySwapMax", memory.swap - memory.limit))
    return found


def _cpu(cpu: Cpu) -> list[Property]:
    found: list[Property] = []
    if cpu.idle == 1:
        found.append(_number("CPUWeight", 0))
    elif cpu.shares:
        found.append(_number("CPUWeight", weight_of_shares(cpu.shares)))
    if cpu.quota or cpu.period:
        found += _quota(cpu.quota or -1, cpu.period or 0)
    for name, value in (("AllowedCPUs", cpu.cpus), ("AllowedMemoryNodes", cpu.mems)):
        if value:
            found.append(_set(name, value))
    return found


def _quota(quota: int, period: int) -> list[Property]:
    found = [_number("CPUQuotaPeriodUSec", period)] if period else []
    per_second = _INFINITY
    if quota > 0:
        # Upwards: what is in the cgroup's file may be a part of a percent, and must not be cut.
        per_second = -(-quota * _USEC // (period or _DEFAULT_PERIOD))
        per_second = -(-per_second // _PERCENT) * _PERCENT
    return [*found, _number("CPUQuotaPerSecUSec", per_second)]


def _set(name: str, id_list: str) -> Property:
    return name, ("ay", bits_of(id_list))


def bits_of(id_list: str) -> bytes:
    """Return a list such as ``0-3,7`` as a bit mask, the lowest first."""
    mask = 0
    for part in id_list.split(","):
        first, _, last = part.strip().partition("-")
        for number in range(int(first), int(last or first) + 1):
            mask |= 1 << number
    return mask.to_bytes(max(1, -(-mask.bit_length() // 8)), "little")


def _block_io(block: BlockIO) -> list[Property]:
    if not block.weight:
        return []
    return [_number("IOWeight", 1 + (block.weight - 10) * 9999 // 990)]


def _unified(name: str, value: str) -> list[Property]:
    """Return the property for a file of v2; none for a value that only the kernel can judge."""
    words = value.split()
    if name in _NUMBERS and (value == "max" or _is_number(value)):
        return [_number(_NUMBERS[name], _INFINITY if value == "max" else int(value))]
    if name in _SETS and words and all(c in "0123456789-," for c in value):
        from ...spec.resources import id_list

        return [_set(_SETS[name], id_list(value, f"linux.resources.unified.{name}"))]
    if name == "cpu.max" and 0 < len(words) <= 2 and all(map(_is_number, words[1:])):
        period = int(words[1]) if len(words) > 1 else 0
        if words[0] == "max":
            return _quota(-1, period)
        if _is_number(words[0]):
            return _quota(int(words[0]), period)
    return []


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= len(str(_INFINITY))
