"""The planning of a cgroup, and, as root, the cgroup itself."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_nsisolate.runtime.cgroup_fork import fork_into
from pytest_nsisolate.runtime.cgroups import devices, limits, v2
from pytest_nsisolate.runtime.cgroups.group import Cgroup, create, read
from pytest_nsisolate.runtime.cgroups.locate import UNIFIED, Hierarchy, parse
from pytest_nsisolate.runtime.cgroups.removal import (
    freeze,
    is_frozen,
    kill,
    pids,
    remove,
    thaw,
    thaw_if_frozen,
)
from pytest_nsisolate.runtime.cgroups.stats import stats
from pytest_nsisolate.runtime.errors import NsisolateError, UnsupportedError
from pytest_nsisolate.runtime.plan import Plan, Root
from pytest_nsisolate.runtime.resources import (
    BlockIO,
    Cpu,
    DeviceRule,
    HugepageLimit,
    Memory,
    Rdma,
    Resources,
    ThrottleDevice,
    WeightDevice,
)

from .. import capabilities

ALL_V1 = ("memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma")
ALL_V2 = ("memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma")

HYBRID = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /outer /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
36 31 0:32 /outer /mnt/a\\040b rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
OWN = "9:name=systemd:/user\n4:memory:/outer/inner\n3:pids:/\n1:cpu,cpuacct:/\n0::/user/scope\n"


def test_hierarchies_of_a_hybrid_host() -> None:
    """Each hierarchy that is mounted, with the caller's cgroup as seen from the mount's root."""
    top = "/sys/fs/cgroup"
    assert parse(HYBRID, OWN) == (
        Hierarchy(
            version=1,
            mount_point=f"{top}/systemd",
            controllers=("name=systemd",),
            own="/user",
        ),
        Hierarchy(version=1, mount_point=f"{top}/memory", controllers=("memory",), own="/inner"),
        Hierarchy(
            version=1, mount_point=f"{top}/cpu,cpuacct", controllers=("cpu", "cpuacct"), own="/"
        ),
        Hierarchy(version=2, mount_point=f"{top}/unified", controllers=(), own="/user/scope"),
    )


def test_a_hierarchy_that_is_covered_is_not_used() -> None:
    """Where v2 is bound over all of /sys/fs/cgroup, the mounts below are out of reach."""
    bound = "50 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    found = parse(HYBRID + bound, OWN, lambda path: path == "/sys/fs/cgroup")
    assert [(h.version, h.mount_point) for h in found] == [(2, "/sys/fs/cgroup")]


@pytest.mark.parametrize(
    ("version", "path", "expected"),
    [
        (1, "/a//b", "/cg/a/b"),
        (1, "a", "/cg/own/scope/a"),
        (1, "", "/cg/own/scope/id"),
        (2, "a", "/cg/own/a"),
        (2, "", "/cg/own/id"),
    ],
)
def test_where_a_container_goes(version: int, path: str, expected: str) -> None:
    """Absolute: below the mount point. Otherwise below the caller's cgroup; on v2 beside it."""
    hierarchy = Hierarchy(version=version, mount_point="/cg", controllers=(), own="/own/scope")
    assert hierarchy.directory(path, "id") == expected


def planned(resources: Resources, version: int) -> list[tuple[str, str]]:
    """Return (file, value) of the writes, on a machine that has all controllers in one version."""
    v1_names, v2_names = (ALL_V1, ()) if version == 1 else ((), ALL_V2)
    return [(w.file, w.value) for w in limits.writes(resources, v1_names, v2_names)]


EVERYTHING = Resources(
    memory=Memory(limit=1000, swap=3000, reservation=500),
    cpu=Cpu(shares=1024, quota=10, period=20, burst=5, cpus="0-1", mems="0", idle=0),
    pids_limit=0,
    block_io=BlockIO(
        weight=500,
        weight_device=(WeightDevice(major=8, minor=0, weight=10),),
        throttle_write_iops_device=(ThrottleDevice(major=8, minor=0, rate=7),),
    ),
    hugepage_limits=(HugepageLimit(page_size="2MB", limit=4),),
    rdma=(Rdma(device="mlx", hca_handles=1, hca_objects=2),),
)


def test_the_files_of_v1() -> None:
    """Memory before memory and swap, period before quota before burst."""
    assert planned(EVERYTHING, 1) == [
        ("memory.limit_in_bytes", "1000"),
        ("memory.memsw.limit_in_bytes", "3000"),
        ("memory.soft_limit_in_bytes", "500"),
        ("cpu.idle", "0"),
        ("cpu.shares", "1024"),
        ("cpu.cfs_period_us", "20"),
        ("cpu.cfs_quota_us", "10"),
        ("cpu.cfs_burst_us", "5"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
        ("pids.max", "max"),
        ("blkio.weight", "500"),
        ("blkio.weight_device", "8:0 10"),
        ("blkio.throttle.write_iops_device", "8:0 7"),
        ("hugetlb.2MB.limit_in_bytes", "4"),
        ("hugetlb.2MB.rsvd.limit_in_bytes", "4"),
        ("rdma.max", "mlx hca_handle=1 hca_object=2"),
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_accounting_without_a_hierarchy_is_not_left_out(wanted: bool) -> None:
    """Kernels have always been hierarchical since 5.11: asking for that is moot, the opposite an error."""
    resources = Resources(memory=Memory(use_hierarchy=wanted))
    (entry,) = limits.writes(resources, ALL_V1, ())
    assert (entry.file, entry.value) == ("memory.use_hierarchy", str(int(wanted)))
    assert entry.optional is entry.implied is wanted


def test_the_files_of_v2() -> None:
    """The same, converted: swap alone, weights for shares."""
    assert planned(EVERYTHING, 2) == [
        ("memory.max", "1000"),
        ("memory.swap.max", "2000"),
        ("memory.low", "500"),
        ("cpu.idle", "0"),
        ("cpu.weight", "100"),
        ("cpu.max", "10 20"),
        ("cpu.max.burst", "5"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
        ("pids.max", "max"),
        ("io.bfq.weight", "500"),
        ("io.bfq.weight", "8:0 10"),
        ("io.max", "8:0 wiops=7"),
        ("hugetlb.2MB.max", "4"),
        ("hugetlb.2MB.rsvd.max", "4"),
        ("rdma.max", "mlx hca_handle=1 hca_object=2"),
    ]


@pytest.mark.parametrize("version", [1, 2])
def test_shares_are_written_while_it_is_not_idle(version: int) -> None:
    """An idle cgroup has no shares: idle is the first to end, and the last to begin."""
    for idle, place in ((0, 0), (1, -1)):
        files = planned(Resources(cpu=Cpu(shares=5, period=7, idle=idle)), version)
        assert files[place] == ("cpu.idle", str(idle))
        assert len(files) == 3


def test_on_a_hybrid_host_each_controller_is_where_it_is() -> None:
    """Controllers of v1 and v2 in one plan."""
    resources = Resources(memory=Memory(limit=1), pids_limit=2)
    found = limits.writes(resources, ("memory",), ("pids",))
    assert [(w.version, w.file) for w in found] == [(1, "memory.limit_in_bytes"), (2, "pids.max")]


@pytest.mark.parametrize(
    "resources",
    [
        Resources(memory=Memory(swappiness=1)),
        Resources(memory=Memory(disable_oom_killer=True)),
        Resources(memory=Memory(swap=5)),
        Resources(memory=Memory(kernel=5, limit=6)),
        Resources(cpu=Cpu(realtime_runtime=5)),
        Resources(block_io=BlockIO(leaf_weight=10)),
        Resources(unified=(("misc.max", "1"),)),
    ],
)
def test_what_v2_cannot_do_is_refused(resources: Resources) -> None:
    """No limit of v1 without an equal is left out in silence."""
    with pytest.raises(UnsupportedError, match=r"^linux\.resources\."):
        planned(resources, 2)


def test_shares_keep_their_default_and_their_ends() -> None:
    """1024 shares are a weight of 100; 2 and 262144 are the ends."""
    assert [v2.weight_of_shares(s) for s in (2, 1024, 262144)] == [1, 100, 10000]


DENY_ALL = DeviceRule(allow=False)
FUSE = DeviceRule(allow=True, type="c", major=10, minor=229, access="rw")


def test_device_rules_of_v1() -> None:
    """The default devices are allowed after what the config says, but for what it takes back."""
    no_null = DeviceRule(allow=False, type="c", major=1, minor=3, access="w")
    rules = [DENY_ALL, FUSE, DeviceRule(allow=True, major=8, access="r"), no_null]
    found = devices.lines(rules)
    own = [
        ("devices.allow", "c 10:229 rw"),
        ("devices.allow", "c 8:* r"),
        ("devices.allow", "b 8:* r"),
        ("devices.deny", "c 1:3 w"),
    ]
    assert found[:6] == [("devices.deny", "a *:* rwm"), ("devices.allow", "c 1:3 rwm"), *own]
    assert ("devices.allow", "c 1:5 rwm") in found[6:]
    assert ("devices.allow", "c 1:3 rwm") not in found[6:]


def run_program(code: bytes, kind: str, major: int, minor: int, access: str) -> bool:
    """Interpret a device program, as the kernel would, for one access."""
    wanted = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    memory = {0: {"b": 1, "c": 2}[kind] | wanted << 16, 4: major, 8: minor}
    registers = [0] * 11
    instructions = list(struct.iter_unpack("<BBhi", code))
    position = 0
    while True:
        opcode, register, offset, immediate = instructions[position]
        into, source = register & 15, register >> 4
        position += 1
        if opcode == 0x61:
            registers[into] = memory[offset]
        elif opcode == 0x57:
            registers[into] &= immediate
        elif opcode == 0x77:
            registers[into] >>= immediate
        elif opcode == 0xB7:
            registers[into] = immediate
        elif opcode == 0xBF:
            registers[into] = registers[source]
        elif opcode == 0x56:
            position += offset if registers[into] != immediate else 0
        elif opcode == 0x16:
            position += offset if registers[into] == immediate else 0
        else:
            assert opcode == 0x95
            return bool(registers[0])


@pytest.mark.parametrize(
    ("kind", "major", "minor", "access", "allowed"),
    [
        ("c", 1, 3, "rw", True),
        ("c", 10, 229, "rw", True),
        ("c", 10, 229, "r", True),
        ("c", 10, 229, "rwm", True),  # making a node of any kind is a default
        ("c", 10, 200, "r", False),
        ("b", 10, 229, "r", False),
        ("b", 7, 0, "m", True),
        ("b", 7, 0, "mr", False),
        ("c", 5, 0, "w", False),
        ("c", 5, 0, "r", True),
    ],
)
def test_device_rules_of_v2(kind: str, major: int, minor: int, access: str, allowed: bool) -> None:
    """The last rule that speaks of an access decides about it."""
    deny_tty = DeviceRule(allow=False, type="c", major=5, minor=0, access="w")
    code = devices.program([DENY_ALL, FUSE, deny_tty])
    assert run_program(code, kind, major, minor, access) is allowed


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    """Yield a real cgroup."""
    capabilities.need_root()
    capabilities.need(os.access("/sys/fs/cgroup", os.W_OK), "cgroups that can be written to")
    name = f"nsisolate-{uuid.uuid4().hex[:12]}"
    made = create(Plan(root=Root(path="/"), cgroups_path=f"/{name}"), name)
    assert made is not None
    yield made
    remove(made)
    assert not any(os.path.exists(path) for path in made.paths)


@pytest.fixture
def sleeper(cgroup: Cgroup) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process in the cgroup."""
    with subprocess.Popen(["sleep", "60"], preexec_fn=cgroup.join) as process:
        yield process
        process.kill()


def test_a_cgroup_is_frozen_and_thawed(cgroup: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    """What is frozen is killed all the same."""
    assert pids(cgroup) == [sleeper.pid]
    freeze(cgroup)
    assert is_frozen(cgroup)
    thaw(cgroup)
    assert not is_frozen(cgroup)
    freeze(cgroup)
    kill(cgroup)
    assert sleeper.wait(5) == -9


def test_limits_are_updated(cgroup: Cgroup) -> None:
    """Both of two limits that bound each other go up and down; a device program is replaced."""
    for limit in (30 << 20, 90 << 20, 20 << 20):
        cgroup.update(Resources(memory=Memory(limit=limit, swap=limit + (10 << 20))))
    for quota in (10_000, 900_000, 10_000):
        cgroup.update(Resources(cpu=Cpu(quota=quota, period=max(quota, 100_000))))
    for _ in range(2):
        cgroup.update(Resources(devices=(DENY_ALL, FUSE)))


def test_a_device_program_is_in_force(cgroup: Cgroup) -> None:
    """The kernel takes the program, and asks it."""
    from pytest_nsisolate.runtime.cgroups.device_program import install

    unified = cgroup.directory(UNIFIED)
    capabilities.need(unified is not None, "a cgroup v2 hierarchy")
    assert unified is not None
    script = "head -c 1 /dev/zero >/dev/null && ! head -c 1 /dev/kmsg 2>/dev/null"
    for _ in range(3):
        install(unified, devices.program([DENY_ALL]))
    subprocess.run(["sh", "-c", script], preexec_fn=cgroup.join, check=True)


def test_a_child_is_born_in_a_cgroup(cgroup: Cgroup) -> None:
    """It is there from the start, and ends as any child; where that cannot be, it is an ordinary fork."""
    unified = cgroup.v2_directory
    capabilities.need(unified is not None, "a cgroup v2 hierarchy")
    assert unified is not None
    for directory, born_in in (
        (unified, unified),
        ("/proc", ""),
        (f"{unified}/none", ""),
        ("", ""),
    ):
        pid, said = fork_into(directory)
        if pid == 0:
            there = threading.current_thread() is threading.main_thread()
            os._exit(2 * (str(os.getpid()) in read(f"{unified}/cgroup.procs").split()) + there)
        _pid, status = os.waitpid(pid, 0)
        assert (said, os.waitstatus_to_exitcode(status)) == (born_in, 3 if born_in else 1)


def test_stats_have_runcs_words(cgroup: Cgroup, sleeper: subprocess.Popen[bytes]) -> None:
    """Usage and limits of CPU, memory and pids."""
    cgroup.update(Resources(pids_limit=50))
    assert sleeper.poll() is None
    found = stats(cgroup)
    assert found["pids"] == {"current": 1, "limit": 50}
    memory, cpu = found["memory"], found["cpu"]
    assert isinstance(memory, dict)
    assert isinstance(cpu, dict)
    assert memory["usage"]["usage"] > 0
    assert cpu["usage"]["total"] > 0


@pytest.fixture
def unified(tmp_path: Path) -> Cgroup:
    """Return a cgroup whose v2 directory is a plain one with some of the kernel's files."""
    for name in ("memory.max", "memory.swap.max", "memory.current", "pids.max", "io.weight"):
        (tmp_path / name).write_text("50000")
    (tmp_path / "cgroup.controllers").write_text("memory pids io cpu\n")
    return Cgroup(directories=((UNIFIED, str(tmp_path)),))


def test_v2_files_are_written(unified: Cgroup, tmp_path: Path) -> None:
    """Each value is in its file; where BFQ's is missing, the weight is io.weight's."""
    block = BlockIO(weight=10)
    unified.update(Resources(memory=Memory(limit=70000), pids_limit=-1, block_io=block))
    names = ("memory.max", "pids.max", "io.weight")
    # A real file is replaced by a write; these keep what was longer.
    assert [(tmp_path / name).read_text()[:5] for name in names] == ["70000", "max00", "10000"]


def test_a_limit_below_the_use_is_refused_if_asked(unified: Cgroup) -> None:
    """checkBeforeUpdate: on v2 the kernel would kill instead."""
    memory = Memory(limit=4000, check_before_update=True)
    with pytest.raises(UnsupportedError, match=r"rejecting memory limit 4000: 50000 bytes"):
        unified.update(Resources(memory=memory))
    with pytest.raises(UnsupportedError, match=r"rejecting memory\+swap limit 5000: 50000 bytes"):
        unified.update(Resources(memory=memory.replace(swap=5000)))


def test_a_file_that_the_kernel_lacks_is_named(unified: Cgroup) -> None:
    """A limit without its file is an error with the field's path."""
    with pytest.raises(UnsupportedError, match=r"linux\.resources\.cpu\.idle: .*cpu\.idle"):
        unified.update(Resources(cpu=Cpu(idle=1)))


def test_a_cgroup_survives_in_a_state_file(unified: Cgroup) -> None:
    """What ``create`` writes down, ``delete`` reads."""
    kept = json.loads(json.dumps(unified.replace(made=("/a/b", "/a")).to_state()))
    assert Cgroup.of_state(kept) == unified.replace(made=("/a/b", "/a"))
    with pytest.raises(NsisolateError, match="cgroup"):
        Cgroup.of_state({"made": [5]})


def test_a_cgroup_that_is_gone_keeps_nobody_frozen(tmp_path: Path) -> None:
    """A killed container's may be removed by whoever waits for it before the one who killed it looks."""
    gone = Cgroup(directories=(("freezer", str(tmp_path / "gone")),))
    thaw_if_frozen(gone, os.getpid())
