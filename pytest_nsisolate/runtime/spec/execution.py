"""``process.scheduler`` and its neighbours of ``config.json``."""

from __future__ import annotations

from ..errors import SpecError, UnsupportedError
from ..execution.records import (
    DOMAINS,
    IO_CLASSES,
    MEMORY_FLAGS,
    MEMORY_MODES,
    POLICIES,
    SCHEDULER_FLAGS,
    CpuAffinity,
    IntelRdt,
    IoPriority,
    MemoryPolicy,
    NetDevice,
    Personality,
    Scheduler,
)
from .reader import UINT64_MAX, Reader, a_string, show
from .resources import id_list

_INT32 = 2**31


def read_scheduler(reader: Reader) -> Scheduler:
    """Return ``process.scheduler``."""
    scheduler = Scheduler(
        policy=reader.required_choice("policy", POLICIES),
        nice=reader.integer("nice", -20, 19, 0),
        priority=reader.integer("priority", 0, 99, 0),
        flags=reader.choices("flags", SCHEDULER_FLAGS),
        runtime=reader.integer("runtime", 0, UINT64_MAX, 0),
        deadline=reader.integer("deadline", 0, UINT64_MAX, 0),
        period=reader.integer("period", 0, UINT64_MAX, 0),
    )
    _check_policy(reader, scheduler)
    return scheduler


def _check_policy(reader: Reader, scheduler: Scheduler) -> None:
    """Refuse what does not go with the policy (sched(7))."""
    if scheduler.policy == "SCHED_ISO":
        raise UnsupportedError(f"{reader.field('policy')}: SCHED_ISO is reserved, and not in Linux")
    if scheduler.policy in ("SCHED_FIFO", "SCHED_RR"):
        if not scheduler.priority:
            raise reader.wrong("priority", f"is required with {scheduler.policy}: 1 to 99")
    elif scheduler.priority:
        raise reader.wrong("priority", "is for SCHED_FIFO and SCHED_RR only")
    if scheduler.nice and scheduler.policy not in ("SCHED_OTHER", "SCHED_BATCH"):
        raise reader.wrong("nice", "is for SCHED_OTHER and SCHED_BATCH only")
    if scheduler.policy == "SCHED_DEADLINE":
        _check_times(reader, scheduler)
    else:
        for key in ("runtime", "deadline", "period"):
            if reader.raw(key):
                raise reader.wrong(key, "is for SCHED_DEADLINE only")


def _check_times(reader: Reader, scheduler: Scheduler) -> None:
    for key, value in (("runtime", scheduler.runtime), ("deadline", scheduler.deadline)):
        if not value:
            raise reader.wrong(key, "is required with SCHED_DEADLINE, in nanoseconds")
    if scheduler.runtime > scheduler.deadline:
        raise reader.wrong(
            "runtime", f"{scheduler.runtime} is above the deadline of {scheduler.deadline}"
        )
    if scheduler.period and scheduler.deadline > scheduler.period:
        raise reader.wrong(
            "deadline", f"{scheduler.deadline} is above the period of {scheduler.period}"
        )


def read_io_priority(reader: Reader) -> IoPriority:
    """Return ``process.ioPriority``."""
    return IoPriority(
        io_class=reader.required_choice("class", IO_CLASSES),
        priority=reader.integer("priority", 0, 7, 0),
    )


def read_cpu_affinity(reader: Reader) -> CpuAffinity | None:
    """Return ``process.execCPUAffinity``, which is for processes that ``exec`` runs."""
    affinity = CpuAffinity(
        initial=id_list(reader.string("initial"), reader.field("initial")),
        final=id_list(reader.string("final"), reader.field("final")),
    )
    return None if affinity == CpuAffinity() else affinity


def read_personality(reader: Reader) -> Personality:
    """Return ``linux.personality``."""
    reader.choices("flags", ())  # "Currently no flag values are supported"
    return Personality(domain=reader.required_choice("domain", DOMAINS))


def read_memory_policy(reader: Reader) -> MemoryPolicy:
    """Return ``linux.memoryPolicy``."""
    policy = MemoryPolicy(
        mode=reader.required_choice("mode", MEMORY_MODES),
        nodes=id_list(reader.string("nodes"), reader.field("nodes")),
        flags=reader.choices("flags", MEMORY_FLAGS),
    )
    if policy.mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        for key, value in (("nodes", policy.nodes), ("flags", policy.flags)):
            if value:
                raise reader.wrong(key, f"{policy.mode} takes none")
    elif not policy.nodes and policy.mode != "MPOL_PREFERRED":
        raise reader.wrong("nodes", f"is required with {policy.mode}")
    if any(int(word) > 1023 for word in policy.nodes.replace("-", ",").split(",") if word):
        raise reader.wrong("nodes", f"{show(policy.nodes)} is more than any kernel has")
    if {"MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"} <= set(policy.flags):
        raise reader.wrong(
            "flags", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"
        )
    return policy


def read_net_devices(reader: Reader) -> tuple[NetDevice, ...]:
    """Return ``linux.netDevices``."""
    found: list[NetDevice] = []
    for host_name in reader.names():
        device = reader.entry(host_name)
        name = device.string("name")
        for word, path in ((host_name, reader.field(host_name)), (name, device.field("name"))):
            if word:
                _check_interface_name(word, path)
        taken = [d.name or d.host_name for d in found]
        if (name or host_name) in taken:
            raise device.wrong("name", f"{show(name or host_name)} is there twice")
        found.append(NetDevice(host_name=host_name, name=name))
    return tuple(found)


def _check_interface_name(name: str, path: str) -> None:
    bad = name in (".", "..") or any(c in "/:%\0" or c.isspace() for c in name)
    if bad or not 1 <= len(a_string(name, path).encode()) <= 15:
        raise SpecError(path, f"{show(name)} is not the name of a network device")


def read_intel_rdt(reader: Reader) -> IntelRdt:
    """Return ``linux.intelRdt``."""
    clos_id = reader.string("closID")
    if clos_id in (".", "..") or "/" in clos_id or "\n" in clos_id:
        raise reader.wrong("closID", f"{show(clos_id)} is not the name of a directory")
    schemata = reader.array("schemata", a_string)
    for key in ("l3CacheSchema", "memBwSchema"):
        text = reader.string(key)
        if key == "memBwSchema" and text and ("\n" in text or not text.startswith("MB:")):
            raise reader.wrong(key, f"{show(text)} is not one line that starts with 'MB:'")
    return IntelRdt(
        clos_id=clos_id,
        l3_cache_schema=reader.string("l3CacheSchema"),
        mem_bw_schema=reader.string("memBwSchema"),
        schemata=schemata,
        enable_cmt=reader.boolean("enableCMT"),
        enable_mbm=reader.boolean("enableMBM"),
        enable_monitoring=reader.boolean("enableMonitoring"),
    )
