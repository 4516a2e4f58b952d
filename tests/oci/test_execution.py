"""Scheduling, priorities, personality, memory policy, labels, resctrl: how a process is executed."""

from __future__ import annotations

import os
from typing import Any

import pytest

from .. import capabilities
from .bundle import Bundle
from .runtime_under_test import known_of_crun, ours_only
from .test_errors import assert_one_sentence

ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)
USER = pytest.mark.parametrize("identity", ["user"], indirect=True)


def scheduling(bundle: Bundle) -> tuple[int, int]:
    """Run the container; return the policy and the nice value of its process."""
    stat = bundle.output("cat /proc/self/stat").rpartition(") ")[2].split()
    return int(stat[38]), int(stat[16])


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({"policy": "SCHED_OTHER", "nice": 5}, (0, 5)),
        ({"policy": "SCHED_BATCH", "nice": 7}, (3, 7)),
        ({"policy": "SCHED_IDLE"}, (5, os.nice(0))),
    ],
)
def test_a_scheduler_that_gives_way(
    bundle: Bundle, scheduler: dict[str, Any], expected: tuple[int, int]
) -> None:
    """Policies that need no privilege."""
    known_of_crun("knows no scheduler")
    bundle.process["scheduler"] = scheduler
    assert scheduling(bundle) == expected


@ROOT
def test_a_real_time_scheduler(bundle: Bundle) -> None:
    """SCHED_FIFO with a priority, reset on fork."""
    known_of_crun("knows no scheduler")
    flags = ["SCHED_FLAG_RESET_ON_FORK"]
    bundle.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 3, "flags": flags}
    bundle.process["args"] = ["cat", "/proc/self/stat"]
    stat = bundle.run().out.rpartition(") ")[2].split()
    assert (stat[38], stat[37]) == ("1", "3")


@USER
@ours_only("the sentence")
def test_a_scheduler_that_is_not_granted(bundle: Bundle) -> None:
    """An ordinary user has no real time, and is told so."""
    bundle.process["scheduler"] = {"policy": "SCHED_RR", "priority": 1}
    assert_one_sentence(bundle.run("true"), "process.scheduler", "CAP_SYS_NICE")


def test_io_priority(bundle: Bundle) -> None:
    """The class and the priority in it, as ioprio_get(2) gives them."""
    known_of_crun("knows no ioPriority")
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    running = bundle.start("echo ready; read x")
    running.line()
    try:
        assert _ioprio_of(running.container_pid()) == (2, 6)
    finally:
        running.finish("\n")


def _ioprio_of(pid: int) -> tuple[int, int]:
    import ctypes

    number = 251 if os.uname().machine == "x86_64" else 31
    number = 252 if number == 251 else number
    value = ctypes.CDLL(None).syscall(number, 1, pid)
    return value >> 13, value & 0x1FFF


def test_personality(bundle: Bundle) -> None:
    """LINUX32 is the domain 8."""
    bundle.linux["personality"] = {"domain": "LINUX32"}
    bundle.process["args"] = ["cat", "/proc/self/personality"]
    # The file is its owner's alone, who is root in a user namespace.
    assert int(bundle.run().out, 16) == 8
    bundle.linux["personality"] = {"domain": "LINUX"}
    assert int(bundle.run().out, 16) == 0


def test_memory_policy(bundle: Bundle) -> None:
    """The policy of the process is that of its mappings."""
    known_of_crun("knows no memoryPolicy")
    capabilities.need(os.path.exists("/proc/self/numa_maps"), "a kernel with NUMA")
    flags = ["MPOL_F_STATIC_NODES"]
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": flags}
    bundle.process["args"] = ["cat", "/proc/self/numa_maps"]
    assert " bind=static:0 " in bundle.run().out


@ours_only("the sentence")
@USER
def test_memory_of_a_node_that_is_not_there(bundle: Bundle) -> None:
    """A node that the machine does not have is the kernel's error, with the field."""
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1000"}
    assert_one_sentence(bundle.run("true"), "linux.memoryPolicy", "EINVAL")


@USER
def test_cpu_affinity_of_exec_is_not_for_the_container_process(bundle: Bundle) -> None:
    """config.md: execCPUAffinity does not apply to the container's init process."""
    allowed = bundle.output("grep Cpus_allowed_list /proc/self/status")
    bundle.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    assert bundle.output("grep Cpus_allowed_list /proc/self/status") == allowed


@ours_only("the sentences")
@USER
@pytest.mark.parametrize(
    ("section", "key", "value", "field"),
    [
        ("process", "apparmorProfile", "docker-default", "process.apparmorProfile"),
        ("process", "selinuxLabel", "a:b:c:s0", "process.selinuxLabel"),
        ("linux", "mountLabel", "a:b:c:s0", "linux.mountLabel"),
        ("linux", "intelRdt", {"closID": "guaranteed"}, "linux.intelRdt"),
    ],
)
def test_what_the_kernel_lacks_is_an_error(
    bundle: Bundle, section: str, key: str, value: object, field: str
) -> None:
    """A label or a class that this kernel does not have is refused by name."""
    there = {
        "process.apparmorProfile": os.path.exists("/sys/module/apparmor"),
        "linux.intelRdt": os.path.exists("/sys/fs/resctrl/schemata"),
    }.get(field, os.path.exists("/sys/fs/selinux/enforce"))
    if there:
        pytest.skip("this kernel has it")
    bundle.config[section][key] = value
    assert_one_sentence(bundle.run("true"), field)
