"""``linux.resources`` and ``cgroupsPath``, on whatever cgroups this machine has."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from .. import capabilities
from . import lifecycle
from .bundle import Bundle
from .confined import V2, cgroups_named
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence

CGROUPS = Path("/sys/fs/cgroup")
ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)
pytestmark = ours_only("crun 1.8.1 refuses hybrid hosts")


@pytest.fixture
def confined(bundle: Bundle) -> Bundle:
    """Return a bundle with a cgroup of its own."""
    capabilities.need(os.access(CGROUPS, os.W_OK), "cgroups that can be written to")
    bundle.linux["cgroupsPath"] = f"/{bundle.id}"
    return bundle


def directory(bundle: Bundle, controller: str) -> Path:
    """Return the container's cgroup."""
    top = CGROUPS if V2 else CGROUPS / controller
    return top / str(bundle.linux["cgroupsPath"]).lstrip("/")


def values(bundle: Bundle, controller: str, *names: str) -> list[str]:
    """Run the container for as long as it takes to read files of its cgroup."""
    running = bundle.start("echo ready; read x")
    try:
        assert running.line() == "ready"
        found = [(directory(bundle, controller) / name).read_text().strip() for name in names]
    finally:
        finished = running.finish("\n")
    assert finished.code == 0, finished
    return found


@ROOT
def test_the_container_is_in_its_cgroup(confined: Bundle) -> None:
    """With cgroupsPath the container is in that cgroup, of every hierarchy; afterwards it is gone."""
    lines = confined.output("cat /proc/self/cgroup").splitlines()
    assert lines
    assert all(line.endswith(f":/{confined.id}") for line in lines)
    assert not cgroups_named(confined.id)


@ROOT
def test_a_cgroup_namespace_begins_there(confined: Bundle) -> None:
    """The cgroup is joined before the namespace is made: the container sees it as the root."""
    confined.namespace("cgroup")
    lines = confined.output("cat /proc/self/cgroup").splitlines()
    assert all(line.endswith(":/") for line in lines)


@ROOT
def test_parents_that_were_made_go_too(confined: Bundle) -> None:
    """A path of several new directories leaves none behind."""
    confined.linux["cgroupsPath"] = f"/{confined.id}/inner/most"
    assert "/inner/most" in confined.output("cat /proc/self/cgroup")
    assert not cgroups_named(confined.id)


@ROOT
def test_a_relative_path_is_below_the_callers_cgroup(confined: Bundle) -> None:
    """A relative path, and the default, lie within the caller's own limits."""
    own = Path("/proc/self/cgroup").read_text().splitlines()
    confined.linux["cgroupsPath"] = f"{confined.id}/x"
    for line in confined.output("cat /proc/self/cgroup").splitlines():
        number = line.partition(":")[0]
        (outer,) = (entry.rpartition(":")[2] for entry in own if entry.startswith(f"{number}:"))
        base = os.path.dirname(outer) if number == "0" else outer
        assert line.rpartition(":")[2] == f"{base.rstrip('/')}/{confined.id}/x"


@ROOT
def test_a_cgroup_mount_shows_the_containers_own(confined: Bundle) -> None:
    """Without a cgroup namespace, too, /sys/fs/cgroup begins at the container's cgroup."""
    confined.linux["resources"] = {"pids": {"limit": 123}}
    confined.mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])
    assert (
        confined.output("cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/*/pids.max 2>/dev/null; true")
        == "123"
    )


@ROOT
@pytest.mark.skipif(V2, reason="needs cgroup v1")
def test_one_that_somebody_else_has_frozen_is_deleted(confined: Bundle) -> None:
    """Delete --force ends a container whose process was put into a frozen cgroup of v1."""
    capabilities.need(os.path.isdir("/sys/fs/cgroup/freezer"), "the freezer of cgroup v1")
    # What forks could have a child in there that is not moved.
    lifecycle.create(confined, "exec sleep 100")
    lifecycle.ok(confined, "start", confined.id)
    pid = json.loads(lifecycle.ok(confined, "state", confined.id).out)["pid"]
    elsewhere = CGROUPS / "freezer" / f"{confined.id}-elsewhere"
    elsewhere.mkdir()
    try:
        (elsewhere / "cgroup.procs").write_text(str(pid))
        (elsewhere / "freezer.state").write_text("FROZEN")
        lifecycle.ok(confined, "delete", "--force", confined.id)
    finally:
        (elsewhere / "freezer.state").write_text("THAWED")
        elsewhere.rmdir()


@ROOT
def test_without_a_path_the_id_names_the_cgroup(confined: Bundle) -> None:
    """Limits without a cgroupsPath make a cgroup that is called as the container is."""
    del confined.linux["cgroupsPath"]
    confined.linux["resources"] = {"pids": {"limit": 20}}
    assert f"/{confined.id}" in confined.output("cat /proc/self/cgroup")
    assert not cgroups_named(confined.id)


@ROOT
def test_without_limits_there_is_a_cgroup_too(bundle: Bundle) -> None:
    """A container that others know may be paused and updated by them: it has a cgroup of its name."""
    bundle.linux["resources"] = {}
    for line in bundle.output("cat /proc/self/cgroup").splitlines():
        assert line.endswith(f"/{bundle.id}")


@ROOT
def test_no_cgroup_where_they_are_disabled(bundle: Bundle) -> None:
    """With --cgroup-manager disabled the container stays in the caller's cgroups."""
    bundle.settings = ("--cgroup-manager", "disabled")
    assert bundle.output("cat /proc/self/cgroup") == Path("/proc/self/cgroup").read_text().strip()


@ROOT
def test_limits_need_cgroups_that_are_not_disabled(bundle: Bundle) -> None:
    """Limits that nobody would enforce are refused."""
    bundle.settings = ("--cgroup-manager", "disabled")
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    assert_one_sentence(bundle.run("true"), "linux.resources", "--cgroup-manager disabled")


@ROOT
@pytest.mark.parametrize("path", ["/", "/..", "a/../../b", "."])
def test_a_path_that_is_nobodys_is_refused(bundle: Bundle, path: str) -> None:
    """The root cgroup, and ways up, are refused by the field's name."""
    bundle.linux["cgroupsPath"] = path
    assert_one_sentence(bundle.run("true"), "linux.cgroupsPath")


@ROOT
def test_systemds_form_is_refused(bundle: Bundle) -> None:
    """slice:prefix:name is for the systemd manager."""
    bundle.linux["cgroupsPath"] = "system.slice:nsisolate:x"
    assert_one_sentence(bundle.run("true"), "linux.cgroupsPath", "systemd")


@ROOT
def test_a_cgroup_in_use_is_warned_of(confined: Bundle) -> None:
    """Two containers in one cgroup: the second one says so, and does the first one no harm."""
    running = confined.start("echo ready; read x; echo alive")
    running.line()
    pids = directory(confined, "pids")
    first = confined.id
    confined.id += "-2"
    lifecycle.create(confined)
    lifecycle.ok(confined, "start", confined.id)
    assert_one_sentence(lifecycle.verb(confined, "pause", confined.id), "others were in its cgroup")
    lifecycle.ok(confined, "kill", "--all", confined.id, "KILL")
    lifecycle.wait_for_status(confined, "stopped")
    lifecycle.ok(confined, "delete", confined.id)
    assert len((pids / "cgroup.procs").read_text().split()) == 1
    warned = confined.run("true")
    assert warned.code == 0
    assert "warning: linux.cgroupsPath: container's cgroup is not empty" in warned.err
    assert running.finish("\n").out == "alive\n"
    assert not list(CGROUPS.glob(f"*/{first}"))


@ROOT
def test_a_process_that_is_left_is_killed(confined: Bundle) -> None:
    """Without a pid namespace, what the container process leaves behind ends with it."""
    confined.drop_namespace("pid")
    confined.config["mounts"] = [m for m in confined.config["mounts"] if m["type"] != "proc"]
    confined.bind("/proc", "/proc", "rbind")
    assert confined.run("sleep 100 >/dev/null 2>&1 & echo left").out == "left\n"


@ROOT
def test_memory_limits(confined: Bundle) -> None:
    """The limit, and the soft one."""
    confined.linux["resources"] = {"memory": {"limit": 40 << 20, "reservation": 20 << 20}}
    names = (
        ("memory.max", "memory.low")
        if V2
        else (
            "memory.limit_in_bytes",
            "memory.soft_limit_in_bytes",
        )
    )
    assert values(confined, "memory", *names) == [str(40 << 20), str(20 << 20)]


@ROOT
def test_memory_and_swap(confined: Bundle) -> None:
    """The limit of memory and swap together."""
    confined.linux["resources"] = {"memory": {"limit": 40 << 20, "swap": 60 << 20}}
    if V2:
        assert values(confined, "memory", "memory.swap.max") == [str(20 << 20)]
    else:
        assert values(confined, "memory", "memory.memsw.limit_in_bytes") == [str(60 << 20)]


@ROOT
def test_memory_is_enforced(confined: Bundle) -> None:
    """Who takes more than the limit is killed, and the exit code says by what."""
    confined.linux["resources"] = {"memory": {"limit": 20 << 20, "swap": 20 << 20}}
    finished = confined.run("tail -c 100000000 /dev/zero >/dev/null; echo $?")
    assert finished.out == "137\n"


@ROOT
def test_want_of_memory_is_told_from_a_mere_kill(confined: Bundle) -> None:
    """Both give 137; ``run`` says which of them it was."""
    confined.linux["resources"] = {"memory": {"limit": 20 << 20, "swap": 20 << 20}}
    starved = confined.run("exec tail -c 100000000 /dev/zero >/dev/null")
    assert starved.code == 137
    assert "warning: the container was out of memory" in starved.err
    killed = confined.start("echo ready; sleep 1000")
    killed.line()
    os.kill(killed.container_pid(), signal.SIGKILL)
    finished = killed.finish()
    assert (finished.code, finished.err) == (137, "")


@ROOT
def test_too_little_memory_for_the_set_up_is_said(confined: Bundle) -> None:
    """A limit that the set-up itself does not keep is named."""
    confined.linux["resources"] = {"memory": {"limit": 200_000}}
    assert_one_sentence(confined.run("true"), "linux.resources.memory.limit")


@ROOT
def test_pids_are_limited(confined: Bundle) -> None:
    """The limit is that of the container alone: its set-up, of two processes, does not count."""
    confined.linux["resources"] = {"pids": {"limit": 1}}
    confined.process["args"] = ["echo", "one"]
    assert confined.run().out == "one\n"
    finished = confined.run("echo one; (echo two) | cat")
    assert "one" in finished.out
    assert "can't fork" in finished.err


@ROOT
def test_pids_without_limit(confined: Bundle) -> None:
    """-1 is no limit."""
    confined.linux["resources"] = {"pids": {"limit": -1}}
    assert values(confined, "pids", "pids.max") == ["max"]


@ROOT
def test_cpu_shares_quota_and_set(confined: Bundle) -> None:
    """Shares, quota, period, burst, and the CPUs."""
    confined.linux["resources"] = {
        "cpu": {"shares": 512, "quota": 20_000, "period": 50_000, "burst": 10_000, "cpus": "0"}
    }
    if V2:
        names = ("cpu.weight", "cpu.max", "cpu.max.burst", "cpuset.cpus")
        assert values(confined, "cpu", *names) == ["59", "20000 50000", "10000", "0"]
        return
    names = ("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us")
    assert values(confined, "cpu", *names) == ["512", "20000", "50000", "10000"]
    assert values(confined, "cpuset", "cpuset.cpus") == ["0"]
    assert confined.output("nproc") == "1"


@ROOT
def test_an_idle_cgroup(confined: Bundle) -> None:
    """``idle`` is SCHED_IDLE for all of it."""
    confined.linux["resources"] = {"cpu": {"idle": 1}}
    assert values(confined, "cpu", "cpu.idle") == ["1"]


@ROOT
def test_block_io_is_throttled(confined: Bundle) -> None:
    """The rate of a device."""
    (numbers, *_) = (p.read_text().strip() for p in sorted(Path("/sys/block").glob("*/dev")))
    major, minor = map(int, numbers.split(":"))
    throttle = [{"major": major, "minor": minor, "rate": 1_000_000}]
    confined.linux["resources"] = {"blockIO": {"throttleReadBpsDevice": throttle}}
    name = "io.max" if V2 else "blkio.throttle.read_bps_device"
    assert numbers in values(confined, "blkio", name)[0]


@ROOT
def test_device_rules(confined: Bundle) -> None:
    """All denied but one: the default devices go on working, another one does not open."""
    confined.add_capabilities("CAP_MKNOD")
    # The host's /tmp may be one on which no device opens.
    confined.mount("/nodes", "tmpfs", "tmpfs")
    confined.linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"},
        ]
    }
    script = (
        "mknod /nodes/kmsg c 1 11; mknod /nodes/port c 1 4; echo x >/dev/null; "
        "head -c 1 /dev/zero | wc -c; "
        ": >/nodes/kmsg && echo written; (: </nodes/kmsg) 2>/dev/null || echo unreadable; "
        "(: </nodes/port) 2>/dev/null || echo refused"
    )
    assert confined.output(script).split() == ["1", "written", "unreadable", "refused"]


@ROOT
def test_unified_needs_a_controller_of_v2(confined: Bundle) -> None:
    """A file of cgroup v2 is written if its controller is there, and refused by name if not."""
    name = "pids.max" if V2 else "memory.max"
    confined.linux["resources"] = {"unified": {name: "10", "cgroup.max.depth": "3"}}
    if V2:
        assert values(confined, "pids", "pids.max", "cgroup.max.depth") == ["10", "3"]
    else:
        sentence = "invalid configuration: the requested cgroup controller `memory`"
        assert_one_sentence(confined.run("true"), "linux.resources.unified.memory.max", sentence)


@ROOT
def test_core_files_of_v2_need_no_controller(confined: Bundle) -> None:
    """``cgroup.*`` are there wherever a v2 hierarchy is."""
    top = CGROUPS if V2 else CGROUPS / "unified"
    capabilities.need(top.is_dir(), "a cgroup v2 hierarchy")
    confined.linux["resources"] = {"unified": {"cgroup.max.depth": "3"}}
    running = confined.start("echo ready; read x")
    running.line()
    assert (top / confined.id / "cgroup.max.depth").read_text() == "3\n"
    assert running.finish("\n").code == 0


@ROOT
@pytest.mark.parametrize(
    ("resources", "field"),
    [
        ({"rdma": {"mlx5_0": {"hcaHandles": 1}}}, "linux.resources.rdma"),
        ({"network": {"classID": 1}}, "linux.resources.network.classID"),
        ({"memory": {"kernel": 1000}}, "linux.resources.memory.kernel"),
        ({"cpu": {"cpus": "4000"}}, "linux.resources.cpu.cpus"),
        ({"cpu": {"shares": "1"}}, "linux.resources.cpu.shares"),
        ({"devices": [{"access": "rwx", "allow": True}]}, "linux.resources.devices[0].access"),
    ],
)
def test_what_cannot_be_limited_is_an_error(
    confined: Bundle, resources: dict[str, Any], field: str
) -> None:
    """A limit that this machine cannot keep, or that makes no sense, is named; no cgroup is left."""
    confined.linux["resources"] = resources
    assert_one_sentence(confined.run("true"), field)
    assert not cgroups_named(confined.id)


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_an_ordinary_user_is_told_about_limits(bundle: Bundle) -> None:
    """Who may make no cgroup gets an error for a limit, and none for a mere path."""
    bundle.linux["cgroupsPath"] = f"/{bundle.id}"
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    assert bundle.output("echo ran") == "ran"
    bundle.linux["resources"] = {"pids": {"limit": 5}}
    assert_one_sentence(bundle.run("true"), "cgroups", "hint: ")


@pytest.mark.parametrize("identity", ["root-userns"], indirect=True)
def test_limits_hold_in_a_user_namespace(confined: Bundle) -> None:
    """Root's limits bind a container in a user namespace too."""
    confined.linux["resources"] = {"pids": {"limit": 7}, "memory": {"limit": 50 << 20}}
    assert values(confined, "pids", "pids.max") == ["7"]
