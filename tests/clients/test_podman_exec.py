"""``podman exec``: further processes in a container."""

from __future__ import annotations

import os

import pytest

from ..oci.runtime_under_test import known_of_crun
from ..terminal import Terminal
from . import image
from .calling import wait_for
from .podman import Podman, for_everyone
from .sitting import ANSWERS, sit_at

FOREVER = "echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def box(podman: Podman) -> str:
    """Return the name of a container that runs."""
    return podman.start(FOREVER, "--hostname=pier", "--env=ASKED=first", "--workdir=/data")


@for_everyone
def test_it_is_in_the_container(podman: Podman, box: str) -> None:
    """It sees what the container sees: files, names, processes, environment."""
    script = (
        "hostname; pwd; cat from-image; echo $FROM_IMAGE $ASKED; test -d /proc/$$; cat /proc/1/comm"
    )
    assert podman.ok("exec", box, "sh", "-c", script).splitlines() == [
        "pier",
        "/data",
        "from the image",
        "yes first",
        "sh",
    ]


@for_everyone
def test_it_is_in_every_namespace_and_cgroup(podman: Podman, box: str) -> None:
    """Its namespaces and its cgroups are those of the container."""
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    script = f"for kind in {' '.join(kinds)}; do readlink /proc/self/ns/$kind; done"
    pid = podman.state()["Pid"]
    found = podman.ok("exec", box, "sh", "-c", script).split()
    assert found == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
    cgroups = podman.ok("exec", box, "sh", "-c", "cat /proc/self/cgroup; echo; cat /proc/1/cgroup")
    own, _, first = cgroups.partition("\n\n")
    assert own == first


@for_everyone
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-program"], 127),
        (["/bin/no-such-program"], 127),
        (["/bin/not-executable"], 126),
    ],
)
def test_exit_code(podman: Podman, box: str, command: list[str], code: int) -> None:
    """The exit code is that of the process, and the container goes on."""
    finished = podman("exec", box, *command)
    assert (finished.code, finished.out) == (code, "")
    assert podman.state()["Status"] == "running"
    if code in {126, 127}:
        known_of_crun("does not say which program", when=code == 126)
        assert command[0] in finished.err


def test_input_is_piped_through(podman: Podman, box: str) -> None:
    """With ``-i`` standard input arrives unharmed."""
    sent = os.urandom(200_000)
    found = podman.ok("exec", "--interactive", box, "sh", "-c", "wc -c; echo end", stdin=sent)
    assert found == f"{len(sent)}\nend"


def test_streams_are_kept_apart(podman: Podman, box: str) -> None:
    """Standard output and error are two."""
    finished = podman("exec", box, "sh", "-c", "echo out; echo err >&2")
    assert (finished.out, finished.err) == ("out\n", "err\n")


def test_environment_directory_and_user(podman: Podman, box: str) -> None:
    """Environment, working directory and user are as asked for."""
    options = ["--env=ASKED=second", "--workdir=/home", f"--user={image.USER}"]
    script = "echo $ASKED; pwd; id -u; id -g; grep CapEff /proc/self/status"
    found = podman.ok("exec", *options, box, "sh", "-c", script).split()
    assert found[:4] == ["second", "/home", str(image.UID), str(image.GID)]
    assert int(found[5], 16) == 0


def test_privileged(podman: Podman, box: str) -> None:
    """``--privileged`` gives more capabilities than the container has."""
    script = "grep CapEff /proc/self/status"
    plain = podman.ok("exec", box, "sh", "-c", script).split()[1]
    more = podman.ok("exec", "--privileged", box, "sh", "-c", script).split()[1]
    assert int(more, 16).bit_count() > int(plain, 16).bit_count()


@for_everyone
def test_terminal(podman: Podman, box: str, terminal: Terminal) -> None:
    """``exec -it`` gives a terminal of the user's size, which follows it, and what is typed arrives."""
    terminal.size(33, 99)
    with podman.at_terminal(terminal, "exec", "-it", box, "sh", "-c", ANSWERS) as running:
        sit_at(terminal, running)
    assert podman.state()["Status"] == "running"


def test_detached(podman: Podman, box: str) -> None:
    """``exec --detach`` returns at once, and the process goes on."""
    podman.ok("exec", "--detach", box, "sh", "-c", "echo there > /tmp/there; sleep 1000")
    wait_for(lambda: podman("exec", box, "cat", "/tmp/there").out == "there\n")
    assert "sleep 1000" in podman.ok("exec", box, "ps")


def test_it_ends_with_the_container(podman: Podman, box: str) -> None:
    """A process that was added ends with the container, and its caller learns of it."""
    with podman.running("exec", box, "sh", "-c", "echo ready; sleep 1000") as running:
        assert running.line() == "ready"
        podman.ok("kill", box)
        assert running.finish().code == 137
    assert podman.room.remains() == []


def test_none_in_a_container_that_has_ended(podman: Podman, box: str) -> None:
    """A container that has ended takes no further process."""
    podman.ok("stop", "--time=0", box)
    assert podman("exec", box, "true").code == 255
