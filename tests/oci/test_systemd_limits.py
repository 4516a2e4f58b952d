"""The limits of a container whose cgroup systemd makes: it has to know them, and the kernel to keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .. import capabilities
from .bundle import Bundle
from .confined import V2, cgroup_of
from .lifecycle import ok, start, state
from .runtime_under_test import ours_only
from .units import assert_gone, cgroup_of_unit, managed, show

pytestmark = ours_only("its properties")
ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)
LIMITS = {
    "memory": {"limit": 80 << 20, "swap": 100 << 20, "reservation": 10 << 20},
    "cpu": {"shares": 512, "quota": 12_345, "period": 50_000},
    "pids": {"limit": 77},
}


@pytest.fixture
def scoped(bundle: Bundle) -> Bundle:
    """Return a bundle whose container systemd gets to keep."""
    return managed(bundle)


def test_limits_are_properties_and_files(scoped: Bundle) -> None:
    """What systemd knows roughly, the kernel has exactly."""
    scoped.linux["resources"] = LIMITS
    start(scoped)
    names = ("MemoryMax", "MemoryLow", "CPUWeight", "CPUQuotaPeriodUSec", "CPUQuotaPerSecUSec")
    expected = [str(80 << 20), str(10 << 20), "59", "50ms", "250ms"]
    assert show(scoped, *names, "TasksMax") == [*expected, "77"]
    if not V2:
        return
    assert show(scoped, "MemorySwapMax") == [str(20 << 20)]
    files = {
        "memory.max": str(80 << 20),
        "memory.low": str(10 << 20),
        "memory.swap.max": str(20 << 20),
        "cpu.weight": "59",
        "cpu.max": "12345 50000",
        "pids.max": "77",
    }
    directory = cgroup_of_unit(scoped)
    assert {name: (directory / name).read_text().strip() for name in files} == files


def test_limits_are_updated(scoped: Bundle) -> None:
    """``update`` tells systemd too, which would put back what it knows otherwise."""
    scoped.linux["resources"] = LIMITS
    start(scoped)
    ok(scoped, "update", "--pids-limit", "55", "--memory", "60M", "--cpu-quota", "-1", scoped.id)
    assert show(scoped, "TasksMax", "MemoryMax") == ["55", str(60 << 20)]
    assert show(scoped, "CPUQuotaPerSecUSec") == ["infinity"]
    pid = state(scoped)["pid"]
    assert (cgroup_of(pid, "pids") / "pids.max").read_text() == "55\n"


@ROOT
def test_cpus_are_properties_too(scoped: Bundle) -> None:
    """The CPUs and memory nodes, and the same by ``unified``."""
    capabilities.need_of_machine(V2, "cgroup v2 with controllers")
    scoped.linux["resources"] = {
        "cpu": {"cpus": "0", "mems": "0"},
        "unified": {"memory.high": "70000000", "pids.max": "44", "cpuset.cpus": "1"},
    }
    start(scoped)
    names = ("AllowedCPUs", "AllowedMemoryNodes", "MemoryHigh", "TasksMax")
    assert show(scoped, *names) == ["1", "0", "70000000", "44"]
    directory = cgroup_of_unit(scoped)
    assert (directory / "cpuset.cpus").read_text() == "1\n"
    assert (directory / "memory.high").read_text() == f"{70000000 // 4096 * 4096}\n"


@ROOT
def test_device_rules_are_properties_too(scoped: Bundle) -> None:
    """The unit says what is allowed, and the container can use that and nothing else."""
    scoped.add_capabilities("CAP_MKNOD")
    # The host's /tmp may be one on which no device opens.
    scoped.mount("/nodes", "tmpfs", "tmpfs")
    scoped.linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"},
        ]
    }
    script = (
        "mknod /nodes/kmsg c 1 11; mknod /nodes/port c 1 4; echo x >/dev/null; "
        ": >/nodes/kmsg && echo written; (: </nodes/kmsg) 2>/dev/null || echo unreadable; "
        "(: </nodes/port) 2>/dev/null || echo refused; echo started; sleep 100"
    )
    output = start(scoped, script)
    assert output.read_text().split() == ["written", "unreadable", "refused", "started"]
    policy, allowed = show(scoped, "DevicePolicy", "DeviceAllow")
    assert policy == "strict"
    entries = {tuple(line.split()) for line in allowed.splitlines()}
    assert {("/dev/char/1:11", "w"), ("/dev/char/1:3", "rwm"), ("char-pts", "rwm")} <= entries


@ROOT
def test_controllers_that_systemd_does_not_know(scoped: Bundle) -> None:
    """Huge pages are limited too, though systemd hands no such controller down."""
    names = Path("/sys/fs/cgroup/cgroup.controllers")
    there = V2 and "hugetlb" in names.read_text().split()
    capabilities.need_of_machine(there, "cgroup v2 with hugetlb")
    scoped.linux["resources"] = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}
    start(scoped)
    assert (cgroup_of_unit(scoped) / "hugetlb.2MB.max").read_text() == f"{4 << 20}\n"


def test_the_memory_limit_of_a_scope_is_enforced(scoped: Bundle) -> None:
    """Who takes more is killed, and systemd keeps no failed unit."""
    scoped.linux["resources"] = {"memory": {"limit": 20 << 20, "swap": 20 << 20}}
    finished = scoped.run("tail -c 100000000 /dev/zero >/dev/null; echo $?")
    assert finished.out == "137\n"
    assert_gone(scoped)
