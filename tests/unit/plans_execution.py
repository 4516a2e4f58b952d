"""``process.scheduler`` and its neighbours: a config that uses everything, and strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pytest_nsisolate.runtime.execution.records import (
    IO_CLASSES,
    CpuAffinity,
    IntelRdt,
    IoPriority,
    MemoryPolicy,
    NetDevice,
    Personality,
    Scheduler,
)

PROCESS: dict[str, Any] = {
    "scheduler": {
        "policy": "SCHED_DEADLINE",
        "flags": ["SCHED_FLAG_RESET_ON_FORK"],
        "runtime": 1000,
        "deadline": 2000,
        "period": 3000,
    },
    "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4},
    "execCPUAffinity": {"initial": "0", "final": "1-3,7"},
}
LINUX: dict[str, Any] = {
    "personality": {"domain": "LINUX32", "flags": []},
    "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]},
    "intelRdt": {
        "closID": "guaranteed",
        "l3CacheSchema": "L3:0=7f0;1=1f",
        "memBwSchema": "MB:0=20;1=70",
        "schemata": ["L2:0=f"],
        "enableMonitoring": True,
    },
    "netDevices": {"eth0": {"name": "inner"}, "eth1": {}},
}

READ_PROCESS: dict[str, Any] = {
    "scheduler": Scheduler(
        policy="SCHED_DEADLINE",
        flags=("SCHED_FLAG_RESET_ON_FORK",),
        runtime=1000,
        deadline=2000,
        period=3000,
    ),
    "io_priority": IoPriority(io_class="IOPRIO_CLASS_BE", priority=4),
    "exec_cpu_affinity": CpuAffinity(initial="0", final="1-3,7"),
}
READ_LINUX: dict[str, Any] = {
    "personality": Personality(domain="LINUX32"),
    "memory_policy": MemoryPolicy(mode="MPOL_BIND", nodes="0-1", flags=("MPOL_F_STATIC_NODES",)),
    "intel_rdt": IntelRdt(
        clos_id="guaranteed",
        l3_cache_schema="L3:0=7f0;1=1f",
        mem_bw_schema="MB:0=20;1=70",
        schemata=("L2:0=f",),
        enable_monitoring=True,
    ),
    "net_devices": (NetDevice(host_name="eth0", name="inner"), NetDevice(host_name="eth1")),
}

WRONG_EXECUTION: list[tuple[str, object]] = [
    ("process.scheduler.policy", "SCHED_NOSUCH"),
    ("process.scheduler.policy", None),
    ("process.scheduler.nice", 20),
    ("process.scheduler.nice", 5),
    ("process.scheduler.priority", 5),
    ("process.scheduler.flags[0]", "FLAG"),
    ("process.scheduler.runtime", -1),
    ("process.ioPriority.class", None),
    ("process.ioPriority.class", "BE"),
    ("process.ioPriority.priority", 8),
    ("process.execCPUAffinity.initial", "a"),
    ("process.execCPUAffinity.final", "3-1"),
    ("process.apparmorProfile", 5),
    ("process.selinuxLabel", []),
    ("linux.mountLabel", 5),
    ("linux.personality.domain", "LINUX64"),
    ("linux.personality.flags", "x"),
    ("linux.memoryPolicy.mode", ""),
    ("linux.memoryPolicy.nodes", ""),
    ("linux.memoryPolicy.nodes", "5000"),
    ("linux.memoryPolicy.flags[0]", "MPOL_F_NOSUCH"),
    ("linux.intelRdt.closID", "a/b"),
    ("linux.intelRdt.memBwSchema", "L3:0=1"),
    ("linux.intelRdt.schemata[0]", 5),
    ("linux.intelRdt.enableMonitoring", 1),
    ("linux.netDevices", "eth0"),
    ("linux.netDevices.eth0", 5),
    ("linux.netDevices.eth0.name", "a/b"),
    ("linux.netDevices.eth1.name", "inner"),
    ("linux.netDevices.eth1.name", "x" * 16),
]

LISTS = st.sampled_from(("", "0", "0-3,5"))


def process_fields() -> st.SearchStrategy[dict[str, Any]]:
    """Return the fields of a process that are about its execution."""
    schedulers = st.builds(
        Scheduler, policy=st.sampled_from(("SCHED_OTHER", "SCHED_BATCH")), nice=st.integers(-20, 19)
    )
    schedulers |= st.builds(
        Scheduler,
        policy=st.sampled_from(("SCHED_FIFO", "SCHED_RR")),
        priority=st.integers(1, 99),
        flags=st.just(("SCHED_FLAG_RESET_ON_FORK",)),
    )
    schedulers |= st.builds(
        Scheduler,
        policy=st.just("SCHED_DEADLINE"),
        runtime=st.integers(1024, 2000),
        deadline=st.integers(2000, 3000),
        period=st.just(0) | st.integers(3000, 2**63 - 1),
    )
    affinities = st.builds(CpuAffinity, initial=LISTS, final=LISTS)
    return st.fixed_dictionaries(
        {
            "scheduler": st.none() | schedulers,
            "io_priority": st.none()
            | st.builds(
                IoPriority, io_class=st.sampled_from(sorted(IO_CLASSES)), priority=st.integers(0, 7)
            ),
            "exec_cpu_affinity": st.none() | affinities.filter(lambda a: a != CpuAffinity()),
        }
    )


def linux_fields() -> st.SearchStrategy[dict[str, Any]]:
    """Return the fields of a plan that are about its process's execution."""
    return st.fixed_dictionaries(
        {
            "personality": st.none()
            | st.builds(Personality, domain=st.sampled_from(("LINUX", "LINUX32"))),
            "memory_policy": st.none()
            | st.just(MemoryPolicy(mode="MPOL_LOCAL"))
            | st.just(MemoryPolicy(mode="MPOL_INTERLEAVE", nodes="0-3"))
            | st.just(MemoryPolicy(mode="MPOL_BIND", nodes="1", flags=("MPOL_F_STATIC_NODES",))),
            "intel_rdt": st.none()
            | st.builds(
                IntelRdt,
                clos_id=st.sampled_from(("", "id")),
                l3_cache_schema=st.sampled_from(("", "L3:0=f")),
                mem_bw_schema=st.sampled_from(("", "MB:0=20")),
                schemata=st.sampled_from(((), ("L2:0=f", "MB:0=10"))),
                enable_monitoring=st.booleans(),
                enable_cmt=st.booleans(),
                enable_mbm=st.booleans(),
            ),
        }
    )


def net_devices() -> st.SearchStrategy[tuple[NetDevice, ...]]:
    """Return network devices, each with another name in the container."""
    names = st.lists(st.sampled_from(("eth0", "eth1", "wg0")), unique=True, max_size=3).map(sorted)
    inner = st.sampled_from(("", "in"))
    return st.tuples(names, inner).map(
        lambda pair: tuple(
            NetDevice(host_name=name, name=pair[1] and f"{pair[1]}{i}")
            for i, name in enumerate(pair[0])
        )
    )
