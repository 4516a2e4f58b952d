"""Containers of containerd in the background: started, watched, paused, stopped, removed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ..oci.runtime_under_test import known_of_crun
from ..plugin.processes import with_marker
from ..terminal import Terminal
from . import image
from .calling import wait_for
from .containerd import Containerd
from .sitting import ANSWERS, sit_at

FOREVER = "echo ready; while :; do sleep 0.05; done"


def wait_until_stopped(containerd: Containerd, name: str = "box") -> None:
    """Wait until a task has ended, which a client may only ask for."""
    wait_for(lambda: containerd.tasks()[name][1] == "STOPPED")


def test_detached(containerd: Containerd) -> None:
    """``run --detach`` returns, and the container goes on."""
    containerd.start(FOREVER)
    pid, status = containerd.tasks()["box"]
    assert status == "RUNNING"
    assert Path(f"/proc/{pid}/comm").read_text() == "sh\n"
    assert containerd.log() == "ready\n"


def test_an_end_of_its_own(containerd: Containerd) -> None:
    """A container that ends by itself is kept with its exit code, until it is removed."""
    containerd.start("echo ready; echo last; exit 9")
    wait_until_stopped(containerd)
    assert containerd.log() == "ready\nlast\n"
    assert containerd.remove() == 9
    assert containerd.room.remains() == []


def test_started_again(containerd: Containerd) -> None:
    """A container whose task has ended can be given a further one."""
    containerd.start("echo ready; echo start >> /data/starts; cat /data/starts; exit 5")
    wait_until_stopped(containerd)
    assert containerd.remove() == 5
    again = containerd("tasks", "start", "box")
    assert (again.code, again.out) == (5, "ready\nstart\nstart\n")
    assert len(containerd.room.calls_of("create")) == 2


@pytest.mark.parametrize("sent", ["SIGTERM", "15"])
def test_kill(containerd: Containerd, sent: str) -> None:
    """``kill`` sends a signal, by name or number, and the container may end by itself on it."""
    containerd.start(f"trap 'echo caught; exit 7' TERM; {FOREVER}")
    containerd.ok("tasks", "kill", f"--signal={sent}", "box")
    wait_until_stopped(containerd)
    assert containerd.log() == "ready\ncaught\n"
    assert containerd.remove() == 7


def test_kill_of_all(containerd: Containerd) -> None:
    """``kill --all`` is for each process of the container."""
    say = "trap 'echo caught' USR1; {} while :; do sleep 0.05; done"
    containerd.start(f'sh -c "{say.format("echo first;")}" & {say.format("echo ready;")}')
    wait_for(lambda: "first" in containerd.log())
    containerd.ok("tasks", "kill", "--all", "--signal=SIGUSR1", "box")
    wait_for(lambda: containerd.log().count("caught") == 2)


def test_kill_of_one_that_has_ended(containerd: Containerd) -> None:
    """What has ended cannot be killed, and can still be removed."""
    containerd.start(FOREVER)
    containerd.ok("tasks", "kill", "--signal=SIGKILL", "box")
    wait_until_stopped(containerd)
    assert "already finished" in containerd("tasks", "kill", "box").err
    assert containerd.remove() == 137


def test_remove(containerd: Containerd) -> None:
    """A running task is removed by force only, and nothing is left."""
    containerd.start(f"sleep 1000 & {FOREVER}")
    assert containerd("tasks", "delete", "box").code == 1
    assert containerd.tasks()["box"][1] == "RUNNING"
    assert containerd.remove("--force") == 137
    containerd.ok("containers", "delete", "box")
    assert containerd.tasks() == {}
    assert containerd.room.remains() == []


def test_pause(containerd: Containerd) -> None:
    """A paused container does nothing until it goes on."""
    counted = containerd.room.directory("counted")
    count = "echo ready; while :; do echo >> /there/count; sleep 0.01; done"
    containerd.start(count, f"--mount=type=bind,src={counted},dst=/there,options=rbind:rw")
    containerd.ok("tasks", "pause", "box")
    then = (counted / "count").stat().st_size
    # The question takes as long as many rounds of the container's would.
    assert containerd.tasks()["box"][1] == "PAUSED"
    assert (counted / "count").stat().st_size == then
    containerd.ok("tasks", "resume", "box")
    assert containerd.tasks()["box"][1] == "RUNNING"
    wait_for(lambda: (counted / "count").stat().st_size > then)


def test_end_of_a_paused_container(containerd: Containerd) -> None:
    """A paused container that was killed ends, when it goes on at the latest."""
    containerd.start(FOREVER)
    containerd.ok("tasks", "pause", "box")
    containerd.ok("tasks", "kill", "--signal=SIGKILL", "box")
    containerd("tasks", "resume", "box")
    wait_until_stopped(containerd)
    assert containerd.remove() == 137
    assert containerd.room.remains() == []


def test_processes(containerd: Containerd) -> None:
    """``ps`` lists the container's processes by the host's pids, those that were added too."""
    # Times that nobody else on the machine sleeps for.
    times = [1_000_000 + os.getpid(), 2_000_000 + os.getpid()]
    containerd.start(f"sleep {times[0]} & {FOREVER}")
    assert containerd.exec("sleep", str(times[1]), options=["--detach"]).code == 0
    lines = containerd.ok("tasks", "ps", "box").splitlines()[1:]
    listed = {int(line.split()[0]) for line in lines}
    ((first,), (added,)) = (with_marker(f"sleep\0{seconds}") for seconds in times)
    # The container's loop has processes too, which come and go.
    assert {containerd.tasks()["box"][0], first, added} <= listed


def test_metrics(containerd: Containerd) -> None:
    """``metrics`` has what the cgroups of the container say."""
    containerd.start(f"sleep 1000 & {FOREVER}")
    metrics = containerd.ok("tasks", "metrics", "box")
    assert "memory.usage" in metrics
    assert int(metrics.partition("pids.current")[2].split()[0]) >= 2


def test_several_at_once(containerd: Containerd) -> None:
    """Containers do not get into each other's way."""
    for name in ("one", "two"):
        containerd.start(f"echo I am {name}; {FOREVER}", name=name)
    assert containerd.remove("--force", name="two") == 137
    assert containerd.tasks().keys() == {"one"}
    assert containerd.exec("echo", "goes on", name="one").out == "goes on\n"


def test_exec(containerd: Containerd) -> None:
    """A further process is in the container: its files, namespaces and cgroups."""
    containerd.start(FOREVER)
    pid = containerd.tasks()["box"][0]
    kinds = ("ipc", "mnt", "net", "pid", "uts")
    script = f"for kind in {' '.join(kinds)}; do readlink /proc/self/ns/$kind; done"
    found = containerd.exec("sh", "-c", f"cat /data/from-image; {script}").out.splitlines()
    wanted = [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
    assert found == ["from the image", *wanted]
    cgroups = containerd.exec("sh", "-c", "cat /proc/self/cgroup; echo; cat /proc/1/cgroup").out
    own, _, first = cgroups.rstrip().partition("\n\n")
    assert own == first


@pytest.mark.parametrize(
    ("command", "code"), [(["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -KILL $$"], 137)]
)
def test_exit_code_of_exec(containerd: Containerd, command: list[str], code: int) -> None:
    """The exit code is that of the process, and the container goes on."""
    containerd.start(FOREVER)
    assert containerd.exec(*command).code == code
    assert containerd.tasks()["box"][1] == "RUNNING"


@pytest.mark.parametrize(
    "program", ["/bin/no-such-program", "no-such-program", "/bin/not-executable"]
)
def test_exec_of_a_program_that_cannot_run(containerd: Containerd, program: str) -> None:
    """The message names a program that is not there or is none, and the container goes on."""
    containerd.start(FOREVER)
    finished = containerd.exec(program)
    assert finished.code == 1
    assert containerd.tasks()["box"][1] == "RUNNING"
    assert containerd.exec("echo", "still").out == "still\n"
    known_of_crun("does not say which program", when="not-ex" in program)
    assert program in finished.err


def test_options_of_exec(containerd: Containerd) -> None:
    """Working directory, user and input are as asked for."""
    containerd.start(FOREVER)
    options = ["--cwd=/data", f"--user={image.UID}:{image.GID}"]
    finished = containerd.exec(
        "sh", "-c", "pwd; id -u; id -g; cat", options=options, stdin=b"input\n"
    )
    assert finished.out.split() == ["/data", str(image.UID), str(image.GID), "input"]


def test_exec_at_a_terminal(containerd: Containerd, terminal: Terminal) -> None:
    """``exec -t`` gives a terminal of the user's size, which follows it, and what is typed arrives."""
    containerd.start(FOREVER)
    terminal.size(33, 99)
    arguments = containerd.exec_arguments("sh", "-c", ANSWERS, options=["--tty"])
    with containerd.at_terminal(terminal, *arguments) as running:
        sit_at(terminal, running)


def test_exec_ends_with_the_container(containerd: Containerd) -> None:
    """A process that was added ends with the container, and its caller learns of it."""
    containerd.start(FOREVER)
    arguments = containerd.exec_arguments("sh", "-c", "echo ready; sleep 1000")
    with containerd.running(*arguments) as running:
        assert running.line() == "ready"
        containerd.ok("tasks", "kill", "--signal=SIGKILL", "box")
        assert running.finish().code == 137


def test_the_daemon_is_restarted(containerd: Containerd) -> None:
    """Containers live on while containerd is away, and obey it afterwards."""
    containerd.start(f"trap 'exit 7' TERM; {FOREVER}")
    before = containerd.tasks()
    containerd.restart()
    assert containerd.tasks() == before
    assert containerd.exec("echo", "still").out == "still\n"
    containerd.ok("tasks", "kill", "box")
    wait_until_stopped(containerd)
    assert containerd.remove() == 7


def test_the_shim_is_killed(containerd: Containerd) -> None:
    """If the shim dies, containerd has the runtime remove the container, and nothing is left."""
    containerd.start(FOREVER)
    (shim,) = [
        pid
        for pid in with_marker("containerd-shim-runc-v2")
        if containerd.room.name in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    ]
    os.kill(shim, signal.SIGKILL)
    wait_for(lambda: containerd.tasks() == {})
    assert containerd.room.remains() == []
    assert any("--force" in call for call in containerd.room.calls_of("delete"))
