"""``process.scheduler`` and its neighbours as frozen data, with the kernel's numbers."""

from __future__ import annotations

from ..record import Record


class Scheduler(Record):
    """sched_setattr(2)."""

    policy: str
    nice: int = 0
    priority: int = 0
    flags: tuple[str, ...] = ()
    runtime: int = 0
    deadline: int = 0
    period: int = 0


class IoPriority(Record):
    """ioprio_set(2); ``class`` in the spec."""

    io_class: str
    priority: int = 0


class CpuAffinity(Record):
    """The CPUs of a process that is executed in a container: while it is set up, and afterwards."""

    initial: str = ""
    final: str = ""


class Personality(Record):
    """personality(2)."""

    domain: str


class MemoryPolicy(Record):
    """set_mempolicy(2)."""

    mode: str
    nodes: str = ""
    flags: tuple[str, ...] = ()


class IntelRdt(Record):
    """A class of service of Intel's Resource Director Technology."""

    clos_id: str = ""
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] = ()
    enable_cmt: bool = False
    enable_mbm: bool = False
    enable_monitoring: bool = False


class NetDevice(Record):
    """A network device of the host that the container takes, and its name there."""

    host_name: str
    name: str = ""


POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SCHEDULER_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
DOMAINS = {"LINUX": 0x0000, "LINUX32": 0x0008}
MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MEMORY_FLAGS = {
    "MPOL_F_NUMA_BALANCING": 1 << 13,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_STATIC_NODES": 1 << 15,
}
