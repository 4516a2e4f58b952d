"""``linux.resources``: a config that uses everything, and strategies for what parsing accepts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pytest_nsisolate.runtime.resources import (
    BlockIO,
    Cpu,
    DeviceRule,
    HugepageLimit,
    Memory,
    NetworkClass,
    NetworkPriority,
    Rdma,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

RESOURCES: dict[str, Any] = {
    "memory": {
        "limit": 4000,
        "reservation": 2000,
        "swap": 5000,
        "kernel": -1,
        "kernelTCP": -1,
        "swappiness": 10,
        "disableOOMKiller": False,
        "useHierarchy": True,
        "checkBeforeUpdate": True,
    },
    "cpu": {
        "shares": 1024,
        "quota": 1000,
        "burst": 500,
        "period": 2000,
        "realtimeRuntime": 10,
        "realtimePeriod": 20,
        "cpus": "0-1,3",
        "mems": "0",
        "idle": 0,
    },
    "pids": {"limit": 5},
    "blockIO": {
        "weight": 10,
        "leafWeight": 20,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 500, "leafWeight": 300}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 300}],
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 4096}],
    "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]},
    "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}},
    "unified": {"memory.high": "100"},
    "devices": [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
    ],
}

READ = Resources(
    memory=Memory(
        limit=4000,
        reservation=2000,
        swap=5000,
        kernel=-1,
        kernel_tcp=-1,
        swappiness=10,
        disable_oom_killer=False,
        use_hierarchy=True,
        check_before_update=True,
    ),
    cpu=Cpu(
        shares=1024,
        quota=1000,
        burst=500,
        period=2000,
        realtime_runtime=10,
        realtime_period=20,
        cpus="0-1,3",
        mems="0",
        idle=0,
    ),
    pids_limit=5,
    block_io=BlockIO(
        weight=10,
        leaf_weight=20,
        weight_device=(WeightDevice(major=8, minor=0, weight=500, leaf_weight=300),),
        throttle_read_bps_device=(ThrottleDevice(major=8, minor=0, rate=600),),
        throttle_write_iops_device=(ThrottleDevice(major=8, minor=16, rate=300),),
    ),
    hugepage_limits=(HugepageLimit(page_size="2MB", limit=4096),),
    network=NetworkClass(
        class_id=1048577, priorities=(NetworkPriority(name="eth0", priority=500),)
    ),
    rdma=(Rdma(device="mlx5_1", hca_handles=3, hca_objects=10000),),
    unified=(("memory.high", "100"),),
    devices=(
        DeviceRule(allow=False),
        DeviceRule(allow=True, type="c", major=10, minor=229, access="rw"),
    ),
)

WRONG_RESOURCES: list[tuple[str, object]] = [
    ("linux.cgroupsPath", 5),
    ("linux.cgroupsPath", "/a/../b"),
    ("linux.cgroupsPath", "/"),
    ("linux.resources", []),
    ("linux.resources.memory", 5),
    ("linux.resources.memory.limit", -2),
    ("linux.resources.memory.swap", 3999),
    ("linux.resources.memory.swappiness", 101),
    ("linux.resources.memory.disableOOMKiller", 1),
    ("linux.resources.cpu.shares", -1),
    ("linux.resources.cpu.burst", 1001),
    ("linux.resources.cpu.cpus", "0-"),
    ("linux.resources.cpu.mems", "3-1"),
    ("linux.resources.cpu.idle", 2),
    ("linux.resources.pids.limit", None),
    ("linux.resources.pids.limit", "5"),
    ("linux.resources.blockIO.weight", 9),
    ("linux.resources.blockIO.weightDevice[0].major", None),
    ("linux.resources.blockIO.throttleReadBpsDevice[0].rate", -1),
    ("linux.resources.hugepageLimits[0].pageSize", "2M"),
    ("linux.resources.hugepageLimits[0].limit", None),
    ("linux.resources.network.classID", 2**32),
    ("linux.resources.network.priorities[0].name", ""),
    ("linux.resources.rdma.mlx5_1", {}),
    ("linux.resources.rdma.mlx5_1.hcaHandles", -1),
    ("linux.resources.unified.memory/high", "1"),
    ("linux.resources.devices[0].allow", None),
    ("linux.resources.devices[0].access", "rx"),
    ("linux.resources.devices[1].access", "rwa"),
    ("linux.resources.devices[1].type", "p"),
]

BYTES = st.none() | st.integers(-1, 2**63 - 1)
UINT16 = st.none() | st.just(0) | st.integers(10, 1000)
UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
NAMES = st.text("abcdefghij0123456789_", min_size=1, max_size=9)
ID_LISTS = st.sampled_from(("", "0", "0-3", "1,4-7"))


def _memory() -> st.SearchStrategy[Memory]:
    flags = st.none() | st.booleans()
    return st.builds(
        Memory,
        limit=st.none() | st.integers(-1, 1000),
        swap=st.none() | st.integers(1000, 2**63 - 1),
        reservation=BYTES,
        kernel=BYTES,
        kernel_tcp=BYTES,
        swappiness=st.none() | st.integers(0, 100),
        disable_oom_killer=flags,
        use_hierarchy=flags,
        check_before_update=flags,
    )


def _cpu() -> st.SearchStrategy[Cpu]:
    return st.builds(
        Cpu,
        shares=st.none() | UINT64,
        quota=st.none() | st.integers(100, 2**63 - 1),
        burst=st.none() | st.integers(0, 100),
        period=st.none() | UINT64,
        realtime_runtime=st.none() | st.integers(-(2**63), 2**63 - 1),
        realtime_period=st.none() | UINT64,
        cpus=ID_LISTS,
        mems=ID_LISTS,
        idle=st.none() | st.integers(0, 1),
    )


def _block_io() -> st.SearchStrategy[BlockIO]:
    weights = st.builds(
        WeightDevice, major=UINT32, minor=UINT32, weight=st.integers(10, 1000), leaf_weight=UINT16
    )
    rates = st.lists(
        st.builds(ThrottleDevice, major=UINT32, minor=UINT32, rate=UINT64), max_size=2
    ).map(tuple)
    return st.builds(
        BlockIO,
        weight=UINT16,
        leaf_weight=UINT16,
        weight_device=st.lists(weights, max_size=2).map(tuple),
        throttle_read_bps_device=rates,
        throttle_write_bps_device=rates,
        throttle_read_iops_device=rates,
        throttle_write_iops_device=rates,
    )


def _network() -> st.SearchStrategy[NetworkClass]:
    priorities = st.lists(st.builds(NetworkPriority, name=NAMES, priority=UINT32), max_size=2)
    return st.builds(NetworkClass, class_id=st.none() | UINT32, priorities=priorities.map(tuple))


def _rdma() -> st.SearchStrategy[tuple[Rdma, ...]]:
    limits = st.tuples(UINT32, st.none() | UINT32)
    return st.dictionaries(NAMES, limits, max_size=2).map(
        lambda found: tuple(
            Rdma(device=name, hca_handles=pair[0], hca_objects=pair[1])
            for name, pair in sorted(found.items())
        )
    )


def _devices() -> st.SearchStrategy[tuple[DeviceRule, ...]]:
    rule = st.builds(
        DeviceRule,
        allow=st.booleans(),
        type=st.sampled_from("abc"),
        major=st.none() | UINT32,
        minor=st.none() | UINT32,
        access=st.sampled_from(("r", "w", "m", "rw", "rwm")),
    )
    return st.lists(rule, max_size=3).map(tuple)


def resources() -> st.SearchStrategy[Resources | None]:
    """Return resources as parsing gives them: what is empty is None."""
    pages = st.builds(HugepageLimit, page_size=st.sampled_from(("2MB", "1GB")), limit=UINT64)
    unified = st.dictionaries(NAMES, st.text("abc 123\n", max_size=9), max_size=2)
    made = st.builds(
        Resources,
        memory=st.none() | _memory().filter(lambda m: m != Memory()),
        cpu=st.none() | _cpu().filter(lambda c: c != Cpu()),
        pids_limit=st.none() | st.integers(-(2**63), 2**63 - 1),
        block_io=st.none() | _block_io().filter(lambda b: b != BlockIO()),
        hugepage_limits=st.lists(pages, max_size=2).map(tuple),
        network=st.none() | _network().filter(lambda n: n != NetworkClass()),
        rdma=_rdma(),
        unified=unified.map(lambda found: tuple(sorted(found.items()))),
        devices=_devices(),
    )
    return st.none() | made.filter(lambda found: found != Resources())
