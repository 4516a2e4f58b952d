"""Signals to the runtime reach the container process, and its end takes the container with it."""

from __future__ import annotations

import os
import signal

import pytest

from .bundle import TIMEOUT, Bundle, wait_until_gone
from .runtime_under_test import known_of_crun


def without_pid_namespace(bundle: Bundle) -> None:
    """Leave the container in the host's pid namespace, whose /proc it may not mount afresh."""
    bundle.drop_namespace("pid")
    bundle.config["mounts"] = bundle.config["mounts"][1:]


TRAP = """
for s in HUP INT QUIT TERM USR1 USR2; do trap "echo got $s" $s; done
echo ready
while true; do read line && exit 3; done
"""


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"])
def test_a_signal_is_forwarded(bundle: Bundle, name: str) -> None:
    """A signal to the runtime arrives in the container, and nowhere else."""
    running = bundle.start(TRAP)
    assert running.line() == "ready"
    running.send(signal.Signals[f"SIG{name}"])
    assert running.line() == f"got {name}"
    assert running.finish("end\n").code == 3


def test_a_container_that_is_killed_from_outside_is_137(bundle: Bundle) -> None:
    """SIGKILL to PID 1 ends the container, with 128 + 9."""
    running = bundle.start("echo ready; cat")
    assert running.line() == "ready"
    os.kill(running.container_pid(), signal.SIGKILL)
    assert running.finish().code == 137


@pytest.mark.parametrize("name", ["TERM", "INT", "ABRT"])
def test_a_forwarded_signal_that_kills_gives_its_code(bundle: Bundle, name: str) -> None:
    """A container process that dies of a forwarded signal N gives 128 + N."""
    without_pid_namespace(bundle)  # PID 1 would ignore what it has no handler for
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    running = bundle.start("echo ready; read line")
    assert running.line() == "ready"
    number = signal.Signals[f"SIG{name}"]
    running.send(number)
    assert running.popen.wait(TIMEOUT) == 128 + number


def test_killing_the_launcher_ends_the_container(bundle: Bundle) -> None:
    """SIGKILL to the runtime leaves no container behind."""
    known_of_crun("lets the container live on")
    running = bundle.start("echo ready; sleep 1000 & cat")
    assert running.line() == "ready"
    pidfd = os.pidfd_open(running.container_pid())
    try:
        running.popen.kill()
        assert wait_until_gone(pidfd)
    finally:
        os.close(pidfd)


def test_stopping_and_continuing_the_launcher_does_no_harm(bundle: Bundle) -> None:
    """A runtime that was stopped goes on where it was."""
    running = bundle.start("echo ready; cat; exit 4")
    assert running.line() == "ready"
    running.send(signal.SIGSTOP)
    running.send(signal.SIGCONT)
    assert running.finish().code == 4


def test_orphans_are_reaped_without_a_pid_namespace(bundle: Bundle) -> None:
    """Without a pid namespace, orphans become the runtime's children; the exit code stays right."""
    without_pid_namespace(bundle)
    assert bundle.run("(sh -c 'true' &); (sh -c 'exit 9' &) ; read line; exit 5").code == 5
