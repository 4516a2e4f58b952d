"""``--cgroup-manager systemd``: a container is a scope of the machine's or of the user's systemd."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from .. import capabilities
from .bundle import TIMEOUT, Bundle
from .confined import cgroup_of
from .lifecycle import create, ok, start, state, verb, wait_for, wait_for_status
from .runtime_under_test import ours_only
from .test_errors import assert_one_sentence
from .units import (
    assert_gone,
    cgroup_of_unit,
    default_slice,
    managed,
    show,
    unit_of,
)

pytestmark = ours_only("its names and sentences")
ROOT = pytest.mark.parametrize("identity", ["root"], indirect=True)


@pytest.fixture
def scoped(bundle: Bundle) -> Bundle:
    """Return a bundle whose container systemd gets to keep."""
    return managed(bundle)


def test_a_container_is_a_scope(scoped: Bundle) -> None:
    """A unit named after the container, delegated, with its processes; gone when it is deleted."""
    start(scoped)
    names = ("ActiveState", "Slice", "Delegate", "Transient", "CPUAccounting", "MemoryAccounting")
    expected = ["active", default_slice(scoped.identity), "yes", "yes", "yes", "yes"]
    assert show(scoped, *names) == expected
    assert scoped.id in show(scoped, "Description")[0]
    pid = state(scoped)["pid"]
    assert cgroup_of(pid, "pids") == cgroup_of_unit(scoped, "pids")
    assert str(pid) in (cgroup_of_unit(scoped) / "cgroup.procs").read_text().split()
    ok(scoped, "kill", scoped.id, "KILL")
    wait_for_status(scoped, "stopped")
    ok(scoped, "delete", scoped.id)
    assert_gone(scoped)


def test_the_path_says_slice_prefix_and_name(scoped: Bundle) -> None:
    """With slice:prefix:name in cgroupsPath, the slice is made, too."""
    path = "app.slice" if scoped.identity.is_ordinary_user else "machine.slice"
    scoped.linux["cgroupsPath"] = f"{path}:some-prefix:{scoped.id}"
    start(scoped)
    assert unit_of(scoped) == f"some-prefix-{scoped.id}.scope"
    assert show(scoped, "ActiveState", "Slice") == ["active", path]
    assert f"/{path}/" in str(cgroup_of_unit(scoped))
    ok(scoped, "delete", "--force", scoped.id)
    assert_gone(scoped)


def test_an_id_that_is_no_name_of_a_unit(scoped: Bundle) -> None:
    """An id may have a plus sign, a unit's name may not: it is escaped, as systemd-escape(1) does."""
    scoped.id = scoped.id.replace("nsisolate-", "nsisolate+")
    start(scoped)
    scoped.linux["cgroupsPath"] = f":nsisolate:{scoped.id.replace('+', chr(92) + 'x2b')}"
    assert show(scoped, "ActiveState") == ["active"]
    ok(scoped, "delete", "--force", scoped.id)
    assert_gone(scoped)


def test_in_the_foreground(scoped: Bundle) -> None:
    """``run`` has a scope as long as it runs, its exit code is the program's, and nothing is left."""
    finished = scoped.run("cat /proc/self/cgroup; exit 7")
    assert finished.code == 7
    assert f"/{unit_of(scoped)}" in finished.out
    assert_gone(scoped)


def test_annotations_are_properties(scoped: Bundle) -> None:
    """``org.systemd.property.NAME``: values of GVariant, and seconds where systemd has microseconds."""
    scoped.config["annotations"] = {
        "org.systemd.property.Description": "'a description'",
        "org.systemd.property.TimeoutStopSec": "uint64 7",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.After": "['basic.target']",
        "org.systemd.property.MemoryHigh": "uint64 50000000",
        "org.example": "none of ours",
    }
    start(scoped)
    names = ("Description", "TimeoutStopUSec", "CollectMode", "MemoryHigh")
    assert show(scoped, *names) == ["a description", "7s", "inactive-or-failed", "50000000"]
    assert "basic.target" in show(scoped, "After")[0]


def test_a_property_that_systemd_does_not_know(scoped: Bundle) -> None:
    """What systemd says is passed on: it tells what is wrong. Nothing is left."""
    scoped.config["annotations"] = {"org.systemd.property.NoSuchThing": "true"}
    assert_one_sentence(scoped.run("true"), "systemd refuses StartTransientUnit", "NoSuchThing")
    assert_gone(scoped)


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("org.systemd.property.TimeoutStopSec", "'seven'", "number of seconds"),
        ("org.systemd.property.Description", "'open", "GVariant"),
        ("org.systemd.property.x", "1", "name of a property"),
        ("org.systemd.property.Slice", "'x.slice'", "cannot be set"),
    ],
)
@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_a_wrong_annotation_is_named(bundle: Bundle, key: str, value: str, part: str) -> None:
    """One sentence with the annotation's name, before systemd is asked for anything."""
    bundle.settings = ("--systemd-cgroup",)
    bundle.config["annotations"] = {key: value}
    assert_one_sentence(bundle.run("true"), f"annotations.{key}", part)


@pytest.mark.parametrize("identity", ["user"], indirect=True)
@pytest.mark.parametrize("path", ["/a/path", "name", "a.slice:b", "no-slice:b:c", "a.slice:b:c/d"])
def test_a_path_of_another_form_is_refused(bundle: Bundle, path: str) -> None:
    """Nothing but slice:prefix:name will do."""
    bundle.settings = ("--systemd-cgroup",)
    bundle.linux["cgroupsPath"] = path
    assert_one_sentence(bundle.run("true"), "linux.cgroupsPath", path)


@pytest.mark.parametrize("identity", ["user"], indirect=True)
def test_where_there_is_no_systemd_it_is_said(bundle: Bundle) -> None:
    """One sentence with the remedy, whether systemd is not there or cannot be talked to."""
    bundle.settings = ("--systemd-cgroup",)
    bundle.variables["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bundle.path}/no-bus"
    assert_one_sentence(bundle.run("true"), "systemd", "--cgroup-manager cgroupfs")
    assert not bundle.state_directory.exists()


def test_a_scope_of_that_name_is_not_shared(scoped: Bundle) -> None:
    """Two containers of one cgroupsPath: the second is refused, and the first is not harmed."""
    scoped.linux["cgroupsPath"] = f":test:{scoped.id}"
    start(scoped)
    first, scoped.id = scoped.id, f"{scoped.id}-2"
    assert_one_sentence(scoped.run("true"), "systemd refuses StartTransientUnit", "already")
    scoped.id = first
    assert state(scoped)["status"] == "running"
    assert show(scoped, "ActiveState") == ["active"]


def test_exec_joins_the_scope(scoped: Bundle) -> None:
    """A further process is in the scope, as the first one is."""
    start(scoped)
    found = ok(scoped, "exec", scoped.id, "cat", "/proc/self/cgroup").out
    assert f"/{unit_of(scoped)}" in found


def test_pause_and_resume(scoped: Bundle) -> None:
    """The scope's cgroup is frozen, and goes on."""
    start(scoped)
    ok(scoped, "pause", scoped.id)
    assert state(scoped)["status"] == "paused"
    ok(scoped, "resume", scoped.id)
    assert state(scoped)["status"] == "running"
    ok(scoped, "pause", scoped.id)
    ok(scoped, "delete", "--force", scoped.id)
    assert_gone(scoped)


def test_processes_that_outlive_the_first_end_with_the_scope(scoped: Bundle) -> None:
    """Without a pid namespace of its own, what the first process leaves behind ends at delete."""
    scoped.drop_namespace("pid")
    scoped.config["mounts"] = [m for m in scoped.config["mounts"] if m["type"] != "proc"]
    scoped.bind("/proc", "/proc", "rbind")
    start(scoped, "sleep 1000 & echo $! ; echo started; exit 0")
    wait_for_status(scoped, "stopped")
    assert show(scoped, "ActiveState") == ["active"]
    ok(scoped, "delete", scoped.id)
    assert_gone(scoped)


def test_a_container_that_was_only_created(scoped: Bundle) -> None:
    """Only its init is in the scope; deleting it leaves nothing."""
    create(scoped)
    pids = (cgroup_of_unit(scoped) / "cgroup.procs").read_text().split()
    assert pids == [str(state(scoped)["pid"])]
    ok(scoped, "delete", scoped.id)
    assert_gone(scoped)


def test_a_unit_that_is_gone_already_is_no_obstacle(scoped: Bundle) -> None:
    """A scope ends with its last process; ``delete`` finds nothing to stop."""
    output = start(scoped, "echo started")
    assert output.read_text() == "started\n"
    wait_for(lambda: show(scoped, "LoadState") == ["not-found"])
    ok(scoped, "delete", scoped.id)
    assert not scoped.state_directory.exists()


def test_a_launcher_that_is_killed_leaves_no_scope(scoped: Bundle) -> None:
    """SIGKILL of ``run``: the container ends with it, and its scope with the container."""
    running = scoped.start("echo ready; sleep 1000")
    running.line()
    running.send(signal.SIGKILL)
    running.popen.wait()
    wait_for(lambda: show(scoped, "LoadState") == ["not-found"])
    ok(scoped, "delete", "--force", scoped.id)


def test_a_container_that_cannot_be_built_leaves_no_scope(scoped: Bundle) -> None:
    """An error of the set-up, after the scope was made."""
    scoped.mount("/x", "nosuchfilesystem", "none")
    assert_one_sentence(scoped.run("true"), "nosuchfilesystem")
    assert_gone(scoped)


def test_state_is_enough_for_another_caller(scoped: Bundle) -> None:
    """Clients call ``delete`` without the options and variables of ``create``."""
    start(scoped)
    variables, scoped.variables = scoped.variables, {}
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    root = str(scoped.state_directory.parent)
    env = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "XDG_RUNTIME_DIR": runtime}
    finished = verb(scoped, "--root", root, "delete", "--force", scoped.id, env=env)
    scoped.variables = variables
    assert (finished.code, finished.err) == (0, "")
    assert_gone(scoped)


def test_a_bus_that_was_only_just_started(scoped: Bundle) -> None:
    """The user's bus can be there before his systemd has come to it."""
    capabilities.need_ordinary_user()
    subprocess.run(["systemctl", "--user", "stop", "dbus.service"], check=True, timeout=TIMEOUT)
    finished = scoped.run("true")
    assert (finished.code, finished.err) == (0, "")


@ROOT
def test_an_ordinary_user_from_outside_of_his_own_units(scoped: Bundle) -> None:
    """From where the kernel lets him move nobody, systemd moves the container's processes."""
    users = [path.parent.name for path in Path("/run/user").glob("[1-9]*/bus")]
    capabilities.need_of_machine(bool(users), "an ordinary user who has a systemd of his own")
    uid = int(users[0])
    scoped.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        scoped.linux[kind] = [{"containerID": 0, "hostID": uid, "size": 1}]
    scoped.linux["resources"] = {"pids": {"limit": 66}}
    scoped.process["args"] = ["cat", "/proc/self/cgroup"]
    for path in (scoped.path, *scoped.rootfs.glob("**")):
        os.chown(path, uid, uid)
    variables = {"XDG_RUNTIME_DIR": f"/run/user/{uid}"}
    variables["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    prefix = ["systemd-run", "-q", "--pipe", "--wait", "--collect", f"--uid={uid}"]
    prefix += [f"--setenv={name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        [*prefix, *scoped.command()], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"/user@{uid}.service/user.slice/{unit_of(scoped)}")


@ROOT
def test_features_tell_of_it(bundle: Bundle) -> None:
    """``features`` claims the systemd manager where its library is installed."""
    cgroup = json.loads(ok(bundle, "features").out)["linux"]["cgroup"]
    there = importlib.util.find_spec("jeepney") is not None
    assert cgroup["systemd"] is cgroup["systemdUser"] is there
