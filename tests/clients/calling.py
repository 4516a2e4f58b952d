"""Calling a client's program, and what is common to both."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from ..oci.bundle import Finished

#: Seconds, for one call of a client: it calls the runtime several times, and the machine may be busy.
TIMEOUT = 60


def call(command: list[str], env: dict[str, str], stdin: bytes) -> Finished:
    """Call a program with *stdin* as its input, to its end and that of its output."""
    done = subprocess.run(
        command, env=env, cwd="/", input=stdin, capture_output=True, timeout=TIMEOUT, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so that nothing tells us of."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.02)
