"""Changing the limits of a cgroup that is in use: what is not mentioned stays as it is."""

from __future__ import annotations

import errno
import os

from ..errors import SetupError, UnsupportedError
from ..resources import Resources
from . import limits
from .group import Cgroup, read, write
from .locate import UNIFIED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..resources import Cpu, Memory
    from .limits import Write

#: Fields in which 0 is what clients write for "as it is".
_ZERO_IS_NONE = {
    "memory": ("limit", "reservation", "swap", "kernel", "kernel_tcp"),
    "cpu": ("shares", "quota", "period", "realtime_runtime", "realtime_period"),
    "block_io": ("weight", "leaf_weight"),
}


def change(cgroup: Cgroup, resources: Resources) -> None:
    """Apply *resources*, but for the device rules. Raises SetupError and UnsupportedError.

    A failure changes nothing: the files get back what they had.
    """
    wanted = _with_what_is_in_force(cgroup, _mentioned(resources))
    names = [controller for controller, _path in cgroup.directories if controller]
    before = _contents(cgroup, limits.writes(wanted, names, cgroup.v2_controllers))
    try:
        cgroup.update(wanted)
    except SetupError as error:
        _restore(before)
        if wanted.memory is not None and wanted.memory.limit:
            _explain_memory(cgroup, wanted.memory.limit, error)
        raise
    except BaseException:
        _restore(before)
        raise


def _mentioned(resources: Resources) -> Resources:
    """Return what is really asked for."""
    found: dict[str, object] = {"pids_limit": resources.pids_limit or None, "devices": ()}
    for section, fields in _ZERO_IS_NONE.items():
        record = getattr(resources, section)
        if record is not None:
            record = record.replace(**{name: getattr(record, name) or None for name in fields})
            found[section] = None if record == type(record)() else record
    return resources.replace(**found)


def _with_what_is_in_force(cgroup: Cgroup, resources: Resources) -> Resources:
    """Complete what one file, or one rule of the kernel, holds together."""
    memory, cpu = resources.memory, resources.cpu
    unified = cgroup.directory(UNIFIED)
    has = {controller for controller, _path in cgroup.directories} | {*cgroup.v2_controllers}
    if memory is not None and "memory" in has:
        directory = cgroup.directory("memory")
        memory = _memory_v1(directory, memory) if directory else _memory_v2(f"{unified}", memory)
    if cpu is not None and "cpu" in has and cgroup.directory("cpu") is None:
        cpu = _cpu_v2(f"{unified}", cpu)
    return resources.replace(memory=memory, cpu=cpu)


def _memory_v1(directory: str, memory: Memory) -> Memory:
    # Without a limit on memory, one on memory and swap together would be the same limit again.
    counts_swap = os.path.exists(f"{directory}/memory.memsw.limit_in_bytes")
    if memory.limit == -1 and memory.swap is None and counts_swap:
        return memory.replace(swap=-1)
    return memory


def _memory_v2(directory: str, memory: Memory) -> Memory:
    if memory.limit == -1 and memory.swap is None:
        return memory.replace(swap=-1)
    if memory.swap is not None and memory.swap > 0 and memory.limit is None:
        # v2 limits swap alone; what the client counts together has to be told apart.
        limit = read(f"{directory}/memory.max").strip()
        if limit.isdecimal():
            return memory.replace(limit=int(limit))
    return memory


def _cpu_v2(directory: str, cpu: Cpu) -> Cpu:
    if (cpu.quota is None) == (cpu.period is None):
        return cpu
    words = read(f"{directory}/cpu.max").split()
    if len(words) != 2:
        return cpu
    quota = int(words[0]) if words[0].isdecimal() else -1
    return cpu.replace(
        quota=quota if cpu.quota is None else cpu.quota,
        period=int(words[1]) if cpu.period is None else cpu.period,
    )


def _contents(cgroup: Cgroup, pending: list[Write]) -> list[tuple[str, str]]:
    """Return the files that are to be written and what they hold, but for lists of devices."""
    found = []
    for entry in pending:
        write_: Write | None = entry
        while write_ is not None:
            directory = cgroup.directory(UNIFIED if write_.version == 2 else write_.controller)
            path = f"{directory}/{write_.file}"
            content = read(path).strip()
            if os.path.exists(path) and "\n" not in content:
                found.append((path, content or "\n"))
            write_ = write_.otherwise
    return found


def _restore(before: list[tuple[str, str]]) -> None:
    # Twice: of two limits that bound each other either may have to go first.
    for path, content in before + before:
        if read(path).strip() != content.strip():
            try:
                write(path, content, "")
            except SetupError:
                continue


def _explain_memory(cgroup: Cgroup, limit: int, error: SetupError) -> None:
    """Raise the reason why v1 refuses a limit of memory, if it is to be found here."""
    directory = cgroup.directory("memory")
    for number, name, is_reason, words in (
        (errno.EBUSY, "memory.usage_in_bytes", int.__lt__, "is below the {} bytes in use"),
        (
            errno.EINVAL,
            "memory.memsw.limit_in_bytes",
            int.__gt__,
            "is above the limit of memory and swap together, {}: change both",
        ),
    ):
        there = read(f"{directory}/{name}").strip()
        if error.errno == number and there.isdecimal() and is_reason(limit, int(there)):
            raise UnsupportedError(
                f"linux.resources.memory.limit: {limit} {words.format(there)}"
            ) from error
