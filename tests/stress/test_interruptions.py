"""A signal at each step of `create` and `delete`: what is left by then goes with `delete --force`."""

from __future__ import annotations

import collections
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.capabilities import has_program, need
from tests.oci.bundle import Bundle
from tests.oci.conftest import bundle, busybox  # noqa: F401 - fixtures
from tests.oci.runtime_under_test import ours_only, runtime_command

from . import faults
from .faults import Fault
from .scale import many
from .test_faults import identity, left_of  # noqa: F401 - the one is a fixture

pytestmark = ours_only("its own calls")

_CALL = re.compile(r"(\w+)\(")


@pytest.fixture
def verbs(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[str]:  # noqa: F811
    """Return what verbs begin with; what is created waits for its start."""
    need(has_program("strace"), "strace")
    bundle.process["args"] = ["true"]
    bundle.linux["cgroupsPath"] = f"/{bundle.id}-above/{bundle.id}"
    bundle.write_config()
    for name, value in bundle.environment().items():
        monkeypatch.setenv(name, value)
    return [*runtime_command(), "--root", str(bundle.path / "state")]


@pytest.mark.parametrize("cgroups", ["cgroupfs", "disabled"])
@pytest.mark.parametrize("signal", ["INT", "KILL"])
def test_every_step_of_create(
    bundle: Bundle,  # noqa: F811
    verbs: list[str],
    tmp_path: Path,
    signal: str,
    cgroups: str,
) -> None:
    """An interrupted `create` leaves nothing, a killed one nothing that `delete --force` does not find."""
    options = ["--cgroup-manager", cgroups]
    create = [*verbs, *options, "create", "--bundle", str(bundle.path), bundle.id]
    delete = [*verbs, "delete", "--force", bundle.id]
    steps = _steps(create, ("mkdir", "rename", "clone", "sendmsg", "recvmsg"), signal, tmp_path)
    subprocess.run(delete, check=True)
    codes = set()
    for step in steps:
        code = _trace(create, step.option, tmp_path)
        if signal == "INT" and code:
            assert not left_of(bundle), step
        subprocess.run(delete, check=True)
        assert not left_of(bundle), step
        codes.add(code)
    assert {"INT": 130, "KILL": -9}[signal] in codes


def test_every_step_of_delete(bundle: Bundle, verbs: list[str], tmp_path: Path) -> None:  # noqa: F811
    """Where a `delete` was killed, the next `delete --force` leaves nothing."""
    create = [*verbs, "create", "--bundle", str(bundle.path), bundle.id]
    delete = [*verbs, "delete", "--force", bundle.id]
    subprocess.run(create, check=True)
    for step in _steps(delete, ("rename", "unlink", "rmdir"), "KILL", tmp_path):
        subprocess.run(create, check=True)
        assert _trace(delete, step.option, tmp_path) == -9
        subprocess.run(delete, check=True)
        assert not left_of(bundle), step


def _steps(
    command: Sequence[str], calls: Sequence[str], signal: str, directory: Path
) -> Iterator[Fault]:
    """Run *command*; yield the signal at those of its calls; at all of them in the long run."""
    assert _trace(command, f"trace={','.join(calls)}", directory) == 0
    log = (directory / "log").read_text().splitlines()
    counts = collections.Counter(call[1] for line in log if (call := _CALL.match(line)))
    found = [Fault(name, n + 1, signal=signal) for name in counts for n in range(counts[name])]
    return faults.sample(found, many(6, len(found)))


def _trace(command: Sequence[str], expression: str, directory: Path) -> int:
    """Run a command under strace(1), which follows no child: a container that is created goes on."""
    # A shell's background jobs ignore SIGINT, and what they start does too.
    strace = ["env", "--default-signal", "strace", "-o", str(directory / "log"), "-e", expression]
    with (directory / "said").open("wb") as said:  # a pipe would be the container's, too
        done = subprocess.run(
            [*strace, *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            timeout=60,
            check=False,
        )
    return done.returncode
