"""Calling a client's program, and what is common to both."""

from __future__ import annotations

import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..oci.bundle import Finished, Running
from ..terminal import Terminal

#: Seconds, for one call of a client: it calls the runtime several times, and the machine may be busy.
TIMEOUT = 60
#: A script that says when a signal of no consequence has come, and goes on.
LISTENS = "trap 'echo listening' WINCH; while :; do sleep 0.05; done"


def call(command: list[str], env: dict[str, str], stdin: bytes) -> Finished:
    """Call a program with *stdin* as its input, to its end and that of its output."""
    done = subprocess.run(
        command, env=env, cwd="/", input=stdin, capture_output=True, timeout=TIMEOUT, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


@contextmanager
def running(command: list[str], env: dict[str, str], **streams: int) -> Iterator[Running]:
    """Start a program and go on at once; if it is still running in the end, it is killed.

    Its streams are pipes, unless *streams* has others.
    """
    chosen: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | streams
    with subprocess.Popen(command, env=env, cwd="/", **chosen) as popen:
        try:
            yield Running(popen)
        finally:
            popen.kill()


@contextmanager
def at_terminal(terminal: Terminal, command: list[str], env: dict[str, str]) -> Iterator[Running]:
    """Start a program as a shell would at a terminal, which is its controlling one."""
    with running(["setsid", "--ctty", *command], env, **terminal.streams) as started:
        yield started


def wait_until_signals_pass(started: Running) -> None:
    """Wait until a client passes signals on to a script with LISTENS, which it does not tell us of."""
    output = started.popen.stdout
    assert output is not None

    def answers() -> bool:
        started.send(signal.SIGWINCH)
        ready, _, _ = select.select([output], [], [], 0.2)
        return bool(ready)

    wait_for(answers)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nothing tells us of."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.02)
