"""The files of cgroup v1. A value of 0 is "not set" where a limit of 0 makes no sense, as with runc."""

from __future__ import annotations

from .limits import Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..resources import Resources, ThrottleDevice


def _write(
    field: str, file: str, value: object, *, optional: bool = False, implied: bool = False
) -> Write:
    controller = file.partition(".")[0]
    return Write(
        field=field,
        controller=controller,
        version=1,
        file=file,
        value=str(value),
        optional=optional,
        implied=implied,
    )


def memory(resources: Resources) -> list[Write]:
    """Return the writes of ``memory``; memory and swap after memory, which may not be above it."""
    memory = resources.memory
    assert memory is not None
    found = []
    for name, file, value in (
        ("limit", "memory.limit_in_bytes", memory.limit),
        ("swap", "memory.memsw.limit_in_bytes", memory.swap),
        ("reservation", "memory.soft_limit_in_bytes", memory.reservation),
    ):
        if value:
            found.append(_write(f"memory.{name}", file, value))
    for name, file, value in (
        ("kernel", "memory.kmem.limit_in_bytes", memory.kernel),
        ("kernelTCP", "memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp),
    ):
        if value:
            # Linux 5.16 refuses the former, later ones ignore it; the limit has kernel memory in it, too.
            implied = value == -1 or ((memory.limit or -1) > 0 and value >= (memory.limit or 0))
            entry = _write(f"memory.{name}", file, value, implied=implied, optional=implied)
            found.append(entry.replace(checked=not implied))
    if memory.swappiness is not None:
        found.append(_write("memory.swappiness", "memory.swappiness", memory.swappiness))
    if memory.disable_oom_killer is not None:
        value = int(memory.disable_oom_killer)
        found.append(_write("memory.disableOOMKiller", "memory.oom_control", value))
    if memory.use_hierarchy is not None:
        # Where the file is gone, or takes nothing else, it is always so; the opposite is not to be had.
        value = int(memory.use_hierarchy)
        file = "memory.use_hierarchy"
        is_so = memory.use_hierarchy
        found.append(_write("memory.useHierarchy", file, value, optional=is_so, implied=is_so))
    return found


def cpu(resources: Resources) -> list[Write]:
    """Return the writes of ``cpu``: shares while it is not idle, which refuses them; burst last."""
    cpu = resources.cpu
    assert cpu is not None
    found = []
    for name, file, value in (
        ("idle", "cpu.idle", None if cpu.idle else cpu.idle),
        ("shares", "cpu.shares", cpu.shares or None),
        ("realtimePeriod", "cpu.rt_period_us", cpu.realtime_period or None),
        ("realtimeRuntime", "cpu.rt_runtime_us", cpu.realtime_runtime or None),
        ("period", "cpu.cfs_period_us", cpu.period or None),
        ("quota", "cpu.cfs_quota_us", cpu.quota or None),
        ("burst", "cpu.cfs_burst_us", cpu.burst),
        ("idle", "cpu.idle", cpu.idle or None),
    ):
        if value is not None:
            found.append(_write(f"cpu.{name}", file, value))
    return found


def cpuset(resources: Resources) -> list[Write]:
    """Return the writes of ``cpu.cpus`` and ``cpu.mems``."""
    cpu = resources.cpu
    assert cpu is not None
    pairs = (("cpus", cpu.cpus), ("mems", cpu.mems))
    return [_write(f"cpu.{name}", f"cpuset.{name}", value) for name, value in pairs if value]


def pids_limit(resources: Resources) -> list[Write]:
    """Return the write of ``pids.limit``."""
    limit = resources.pids_limit or -1
    return [_write("pids.limit", "pids.max", limit if limit > 0 else "max")]


def block_io(resources: Resources) -> list[Write]:
    """Return the writes of ``blockIO``; the schedulers CFQ (old) and BFQ have files of their own."""
    block = resources.block_io
    assert block is not None
    found = []
    if block.weight:
        found.append(_or_bfq(_write("blockIO.weight", "blkio.weight", block.weight)))
    if block.leaf_weight:
        found.append(_write("blockIO.leafWeight", "blkio.leaf_weight", block.leaf_weight))
    for device in block.weight_device:
        for file, value in (
            ("blkio.weight_device", device.weight),
            ("blkio.leaf_weight_device", device.leaf_weight),
        ):
            if value:
                line = f"{device.major}:{device.minor} {value}"
                found.append(_or_bfq(_write("blockIO.weightDevice", file, line)))
    for way in ("read", "write"):
        for kind, name in (("bps", "Bps"), ("iops", "IOPS")):
            devices: tuple[ThrottleDevice, ...] = getattr(block, f"throttle_{way}_{kind}_device")
            for throttle in devices:
                field = f"blockIO.throttle{way.capitalize()}{name}Device"
                line = f"{throttle.major}:{throttle.minor} {throttle.rate}"
                found.append(_write(field, f"blkio.throttle.{way}_{kind}_device", line))
    return found


def _or_bfq(write: Write) -> Write:
    return write.replace(otherwise=write.replace(file=write.file.replace("blkio.", "blkio.bfq.")))


def hugepage_limits(resources: Resources) -> list[Write]:
    """Return the writes of ``hugepageLimits``: use, and where the kernel counts them, reservations."""
    found = []
    for limit in resources.hugepage_limits:
        for kind, optional in (("limit_in_bytes", False), ("rsvd.limit_in_bytes", True)):
            file = f"hugetlb.{limit.page_size}.{kind}"
            found.append(_write("hugepageLimits", file, limit.limit, optional=optional))
    return found


def class_id(resources: Resources) -> list[Write]:
    """Return the write of ``network.classID``."""
    assert resources.network is not None
    return [_write("network.classID", "net_cls.classid", resources.network.class_id)]


def priorities(resources: Resources) -> list[Write]:
    """Return the writes of ``network.priorities``."""
    assert resources.network is not None
    return [
        _write("network.priorities", "net_prio.ifpriomap", f"{entry.name} {entry.priority}")
        for entry in resources.network.priorities
    ]


def rdma(resources: Resources) -> list[Write]:
    """Return the writes of ``rdma``; the file is the same on v1 and v2."""
    found = []
    for limits in resources.rdma:
        words = [limits.device]
        if limits.hca_handles is not None:
            words.append(f"hca_handle={limits.hca_handles}")
        if limits.hca_objects is not None:
            words.append(f"hca_object={limits.hca_objects}")
        found.append(_write(f"rdma.{limits.device}", "rdma.max", " ".join(words)))
    return found
