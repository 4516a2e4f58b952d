"""Calling the lifecycle's verbs on a bundle's container."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from .bundle import TIMEOUT, Bundle, Finished
from .identity import demotion
from .runtime_under_test import runtime_command

WAITS = "trap 'echo got TERM; exit 7' TERM; echo started; while true; do sleep 0.05; done"


def verb(
    bundle: Bundle,
    *args: str,
    env: dict[str, str] | None = None,
    pass_fds: tuple[int, ...] = (),
    prefix: tuple[str, ...] = (),
) -> Finished:
    """Call the runtime; its output, and what it leaves running writes to, are files."""
    out, err = bundle.path / "verb.out", bundle.path / "verb.err"
    with out.open("w") as stdout, err.open("w") as stderr:
        done = subprocess.run(
            [*prefix, *runtime_command(), *args],
            cwd=bundle.path,
            env=bundle.environment() if env is None else env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            timeout=TIMEOUT,
            check=False,
            pass_fds=pass_fds,
            **demotion(bundle.identity),
        )
    return Finished(done.returncode, out.read_text(), err.read_text())


def ok(bundle: Bundle, *args: str) -> Finished:
    """Call the runtime, which must succeed."""
    finished = verb(bundle, *args)
    assert finished.code == 0, finished
    return finished


def create(bundle: Bundle, script: str = WAITS, *options: str) -> Path:
    """Create the container; return the file that it writes to."""
    bundle.process["args"] = ["sh", "-c", script]
    return launch(bundle, "create", *options)


def launch(bundle: Bundle, verb_name: str, *options: str) -> Path:
    """Call create or run with what the config says; return the file that the container writes to."""
    bundle.write_config()
    output = bundle.path / "output"
    with output.open("wb") as file:
        done = subprocess.run(
            [
                *runtime_command(),
                *bundle.settings,
                verb_name,
                *options,
                "--bundle",
                str(bundle.path),
                bundle.id,
            ],
            cwd="/",
            env=bundle.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            timeout=TIMEOUT,
            check=False,
            **demotion(bundle.identity),
        )
    assert done.returncode == 0, output.read_text()
    return output


def start(bundle: Bundle, script: str = WAITS) -> Path:
    """Create and start the container; return the file that it writes to, which says that it runs."""
    output = create(bundle, script)
    ok(bundle, "start", bundle.id)
    wait_for(lambda: "started" in output.read_text())
    return output


def state(bundle: Bundle) -> dict[str, Any]:
    """Return the container's state."""
    found: dict[str, Any] = json.loads(ok(bundle, "state", bundle.id).out)
    return found


def wait_for(condition: Any) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it has not come to that"
        time.sleep(0.02)


def wait_for_status(bundle: Bundle, status: str) -> None:
    """Wait until the container's status is that."""
    wait_for(lambda: state(bundle)["status"] == status)
