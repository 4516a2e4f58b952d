"""The files of cgroup v2, and how the v1 values of the spec are converted to them."""

from __future__ import annotations

from ..errors import UnsupportedError
from . import v1
from .limits import Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..resources import Resources

_DEFAULT_PERIOD = 100_000


def _write(field: str, file: str, value: object, *, optional: bool = False) -> Write:
    controller = file.partition(".")[0]
    return Write(
        field=field,
        controller=controller,
        version=2,
        file=file,
        value=str(value),
        optional=optional,
    )


def _refuse(field: str, why: str) -> UnsupportedError:
    return UnsupportedError(f"linux.resources.{field}: {why}")


def _limit(value: int) -> str:
    return "max" if value < 0 else str(value)


def memory(resources: Resources) -> list[Write]:
    """Return the writes of ``memory``."""
    memory = resources.memory
    assert memory is not None
    for name, value in (("kernel", memory.kernel), ("kernelTCP", memory.kernel_tcp)):
        # Kernel memory counts for the limit, so one that is not below it is kept anyway.
        if value and value > 0 and not 0 < (memory.limit or 0) <= value:
            raise _refuse(f"memory.{name}", "cgroup v2 has no limit for kernel memory alone")
    if memory.swappiness is not None:
        raise _refuse("memory.swappiness", "cgroup v2 has none")
    if memory.disable_oom_killer:
        raise _refuse("memory.disableOOMKiller", "cgroup v2 cannot switch it off")
    if memory.use_hierarchy is False:
        raise _refuse("memory.useHierarchy", "cgroup v2 is always hierarchical")
    found = []
    if memory.limit:
        found.append(_write("memory.limit", "memory.max", _limit(memory.limit)))
    if memory.swap:
        # No such file, no swap at all.
        swap = _swap(memory.limit or 0, memory.swap)
        found.append(_write("memory.swap", "memory.swap.max", swap, optional=True))
    if memory.reservation:
        found.append(_write("memory.reservation", "memory.low", _limit(memory.reservation)))
    return found


def _swap(limit: int, memory_and_swap: int) -> str:
    if memory_and_swap < 0:
        return "max"
    if limit <= 0:
        raise _refuse("memory.swap", "(memory and swap together) needs memory.limit on cgroup v2")
    return str(memory_and_swap - limit)


def cpu(resources: Resources) -> list[Write]:
    """Return the writes of ``cpu``: the weight while it is not idle, which refuses it."""
    cpu = resources.cpu
    assert cpu is not None
    for name, value in (
        ("realtimePeriod", cpu.realtime_period),
        ("realtimeRuntime", cpu.realtime_runtime),
    ):
        if value:
            raise _refuse(f"cpu.{name}", "cgroup v2 has no limits for realtime tasks")
    found = []
    if cpu.idle == 0:
        found.append(_write("cpu.idle", "cpu.idle", 0))
    if cpu.shares:
        found.append(_write("cpu.shares", "cpu.weight", weight_of_shares(cpu.shares)))
    if cpu.quota or cpu.period:
        quota = _limit(cpu.quota or -1)
        period = cpu.period or _DEFAULT_PERIOD
        found.append(_write("cpu.quota", "cpu.max", f"{quota} {period}"))
    if cpu.burst is not None:
        found.append(_write("cpu.burst", "cpu.max.burst", cpu.burst))
    if cpu.idle:
        found.append(_write("cpu.idle", "cpu.idle", cpu.idle))
    return found


def weight_of_shares(shares: int) -> int:
    """Convert 2..262144 (1024 is the default) to 1..10000 (100 is the default).

    A curve through the ends and both defaults, which a straight line misses by a factor of 2.5.
    """
    import math

    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    log = math.log2(shares)
    return math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))


def cpuset(resources: Resources) -> list[Write]:
    """Return the writes of ``cpu.cpus`` and ``cpu.mems``."""
    return [write.replace(version=2) for write in v1.cpuset(resources)]


def pids_limit(resources: Resources) -> list[Write]:
    """Return the write of ``pids.limit``."""
    return [write.replace(version=2) for write in v1.pids_limit(resources)]


def block_io(resources: Resources) -> list[Write]:
    """Return the writes of ``blockIO``: BFQ's file where it is, which takes the v1 weights."""
    block = resources.block_io
    assert block is not None
    if block.leaf_weight or any(device.leaf_weight for device in block.weight_device):
        raise _refuse("blockIO.leafWeight", "cgroup v2 has none")
    found = []
    if block.weight:
        found.append(_weight("blockIO.weight", "", block.weight))
    for device in block.weight_device:
        if device.weight:
            prefix = f"{device.major}:{device.minor} "
            found.append(_weight("blockIO.weightDevice", prefix, device.weight))
    for way in ("read", "write"):
        for kind, name in (("bps", "Bps"), ("iops", "IOPS")):
            for throttle in getattr(block, f"throttle_{way}_{kind}_device"):
                field = f"blockIO.throttle{way.capitalize()}{name}Device"
                rate = throttle.rate or "max"
                line = f"{throttle.major}:{throttle.minor} {way[0]}{kind}={rate}"
                found.append(_write(field, "io.max", line))
    return found


def _weight(field: str, prefix: str, weight: int) -> Write:
    # 10..1000 to 1..10000: io.weight has another scale than io.bfq.weight.
    converted = 1 + (weight - 10) * 9999 // 990
    otherwise = _write(field, "io.weight", f"{prefix}{converted}")
    return otherwise.replace(file="io.bfq.weight", value=f"{prefix}{weight}", otherwise=otherwise)


def hugepage_limits(resources: Resources) -> list[Write]:
    """Return the writes of ``hugepageLimits``: use, and where the kernel counts them, reservations."""
    found = []
    for limit in resources.hugepage_limits:
        for kind, optional in (("max", False), ("rsvd.max", True)):
            file = f"hugetlb.{limit.page_size}.{kind}"
            found.append(_write("hugepageLimits", file, limit.limit, optional=optional))
    return found


def rdma(resources: Resources) -> list[Write]:
    """Return the writes of ``rdma``."""
    return [write.replace(version=2) for write in v1.rdma(resources)]
