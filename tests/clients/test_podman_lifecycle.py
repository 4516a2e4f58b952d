"""Containers of podman in the background: started, watched, paused, stopped, removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ..oci.runtime_under_test import known_of_crun
from . import image
from .calling import wait_for
from .podman import Podman, for_everyone

FOREVER = "echo ready; while :; do sleep 0.05; done"
SAYS_WHEN_ENDED = "trap 'echo got TERM; exit 7' TERM; " + FOREVER


@for_everyone
def test_detached(podman: Podman) -> None:
    """``run --detach`` returns the id, and the container goes on; ``ps`` and ``inspect`` know it."""
    podman.start(FOREVER)
    state = podman.state()
    assert (state["Status"], state["Running"]) == ("running", True)
    assert Path(f"/proc/{state['Pid']}/comm").read_text() == "sh\n"
    (listed,) = json.loads(podman.ok("ps", "--format=json"))
    assert (listed["Names"], listed["State"], listed["Pid"]) == (["box"], "running", state["Pid"])
    assert podman.ok("inspect", "--format={{.OCIRuntime}}", "box") == podman.room.runtime.name


def test_logs(podman: Podman) -> None:
    """What was printed is kept, both streams of it, and can be followed to the container's end."""
    shared = podman.directory("host")
    wait = "until test -e /there/go; do sleep 0.05; done"
    podman.start(f"echo ready; {wait}; echo err >&2; echo last", f"--volume={shared}:/there")
    with podman.running("logs", "--follow", "box") as following:
        assert following.line() == "ready"
        (shared / "go").touch()
        finished = following.finish()
    assert (finished.code, finished.out, finished.err) == (0, "last\n", "err\n")
    assert podman("logs", "box").err == "err\n"


def test_an_end_of_its_own(podman: Podman) -> None:
    """A container that ends by itself is kept with its exit code, until it is removed."""
    podman.ok("run", "--detach", "--name=box", image.NAME, "sh", "-c", "echo ready; exit 9")
    assert podman.ok("wait", "box") == "9"
    state = podman.state()
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 9, 0)
    assert podman.logs() == "ready"
    assert podman.room.remains() == []
    podman.ok("rm", "box")
    assert podman.ok("ps", "--all", "--quiet") == ""


def test_created_then_started(podman: Podman) -> None:
    """``create`` makes nothing that runs; ``init`` makes the runtime create it, ``start`` starts it."""
    podman.ok("create", "--name=box", image.NAME, "sh", "-c", "echo ready; exit 3")
    assert podman.room.calls() == []
    podman.ok("init", "box")
    assert podman.state()["Status"] == "initialized"
    assert podman.room.calls_of("create")
    assert not podman.room.calls_of("start")
    finished = podman("start", "--attach", "box")
    assert (finished.code, finished.out) == (3, "ready\n")


def test_attach(podman: Podman) -> None:
    """One may attach to a container later: its output comes, and input goes there."""
    podman.start("echo ready; read line; echo got $line; exit 4", "--interactive")
    assert podman("attach", "box", stdin=b"hello\n").out.startswith("got hello\n")
    assert podman.ok("wait", "box") == "4"


@for_everyone
def test_stop(podman: Podman) -> None:
    """``stop`` lets a container end by itself, on SIGTERM."""
    podman.start(SAYS_WHEN_ENDED)
    podman.ok("stop", "--time=20", "box")
    assert podman.state()["ExitCode"] == 7
    assert podman.logs() == "ready\ngot TERM"
    assert podman.room.remains() == []


def test_stop_signal(podman: Podman) -> None:
    """``--stop-signal`` is what it is told by instead."""
    podman.start(f"trap 'exit 8' USR1; {FOREVER}", "--stop-signal=USR1")
    podman.ok("stop", "--time=20", "box")
    assert podman.state()["ExitCode"] == 8


def test_stop_of_one_that_does_not_listen(podman: Podman) -> None:
    """What has not ended within the time is killed."""
    podman.start(f"trap '' TERM; {FOREVER}")
    podman.ok("stop", "--time=1", "box")
    assert podman.state()["ExitCode"] == 137
    assert podman.room.remains() == []


@for_everyone
def test_kill(podman: Podman) -> None:
    """``kill`` sends a signal by name or number, and SIGKILL without one."""
    podman.start(f"trap 'echo one' USR1; trap 'echo two' USR2; {FOREVER}")
    podman.ok("kill", "--signal=USR1", "box")
    wait_for(lambda: podman.logs() == "ready\none")
    podman.ok("kill", "--signal=12", "box")
    wait_for(lambda: podman.logs() == "ready\none\ntwo")
    podman.ok("kill", "box")
    assert podman.ok("wait", "box") == "137"
    assert podman("kill", "box").code == 125


@for_everyone
def test_remove(podman: Podman) -> None:
    """A running container is removed by force only, and nothing is left."""
    podman.start(f"sleep 1000 & {FOREVER}")
    refused = podman("rm", "box")
    assert refused.code == 2
    assert podman.state()["Status"] == "running"
    podman.ok("rm", "--force", "--time=0", "box")
    assert podman.ok("ps", "--all", "--quiet") == ""
    assert podman.room.remains() == []


@for_everyone
def test_restart(podman: Podman) -> None:
    """A container that is started again is a new one of the same name, with its files."""
    podman.start(f"echo start >> /tmp/starts; cat /tmp/starts; {FOREVER}")
    before = podman.state()["Pid"]
    podman.ok("restart", "--time=0", "box")
    wait_for(lambda: podman.logs().endswith("start\nstart\nready"))
    assert podman.state()["Pid"] != before
    podman.ok("stop", "--time=0", "box")
    podman.ok("start", "box")
    wait_for(lambda: podman.logs().endswith("start\nstart\nstart\nready"))


def test_pause(podman: Podman) -> None:
    """A paused container does nothing until it goes on, and refuses a further process."""
    counted = podman.directory("counted")
    count = "echo ready; while :; do echo >> /there/count; sleep 0.01; done"
    podman.start(count, f"--volume={counted}:/there")
    podman.ok("pause", "box")
    assert podman.state()["Status"] == "paused"
    then = (counted / "count").stat().st_size
    assert podman("exec", "box", "true").code == 255
    # The refusal took as long as many rounds of the container's would.
    assert (counted / "count").stat().st_size == then
    podman.ok("unpause", "box")
    assert podman.state()["Status"] == "running"
    wait_for(lambda: (counted / "count").stat().st_size > then)


@pytest.mark.parametrize("how", [["rm", "--force", "--time=0"], ["kill"]])
def test_end_of_a_paused_container(podman: Podman, how: list[str]) -> None:
    """A paused container can be ended."""
    podman.start(FOREVER)
    podman.ok("pause", "box")
    if how == ["kill"]:
        known_of_crun("kills a container that is frozen by cgroup v1, and leaves it frozen")
    podman.ok(*how, "box")
    assert podman.room.remains() == []


def test_top(podman: Podman) -> None:
    """``top`` lists the container's processes."""
    podman.start(f"sleep 1234 & {FOREVER}")
    pids, *commands = podman.ok("top", "box", "pid", "args").splitlines()
    assert pids.split() == ["PID", "COMMAND"]
    assert any(line.split()[1:] == ["sleep", "1234"] for line in commands), commands


def test_several_at_once(podman: Podman) -> None:
    """Containers do not get into each other's way."""
    names = ["one", "two", "three"]
    for name in names:
        podman.start(f"hostname; {FOREVER}", f"--hostname={name}", name=name)
    assert [podman.logs(name) for name in names] == [f"{name}\nready" for name in names]
    podman.ok("rm", "--force", "--time=0", "two")
    assert sorted(podman.ok("ps", "--format={{.Names}}").split()) == ["one", "three"]
    assert podman.ok("exec", "one", "hostname") == "one"


def test_commit(podman: Podman) -> None:
    """An image can be made of a running container, which goes on."""
    podman.start(f"echo new > /data/new; {FOREVER}")
    pause = [f"--pause={'true' if podman.has_cgroups else 'false'}"]
    podman.ok("commit", "--quiet", *pause, "box", "nsisolate.example/made:latest")
    assert podman.state()["Status"] == "running"
    assert podman.ok("run", "--rm", "nsisolate.example/made:latest", "cat", "/data/new") == "new"


def test_copy(podman: Podman) -> None:
    """``cp`` takes files out of a running container, from its mounts too, and puts some in."""
    directory = podman.directory("host")
    podman.start(FOREVER, "--tmpfs=/scratch")
    podman.ok("exec", "box", "sh", "-c", "echo text > /scratch/file")
    podman.ok("cp", "box:/scratch/file", f"{directory}/file")
    assert (directory / "file").read_text() == "text\n"
    podman.ok("cp", f"{directory}/file", "box:/scratch/back")
    assert podman.ok("exec", "box", "cat", "/scratch/back") == "text"


@for_everyone
def test_container_whose_creation_fails(podman: Podman) -> None:
    """Of a container that cannot be created nothing is left, and podman has the runtime's sentence."""
    missing = podman.directory("host")
    podman.ok("create", "--name=box", f"--volume={missing}:/there", image.NAME, "true")
    os.rmdir(missing)
    failed = podman("start", "box")
    assert failed.code in {125, 127}
    assert str(missing) in failed.err
    assert podman.room.remains() == []
    podman.ok("rm", "box")
