"""Each step of an isolated test's set-up fails in turn: it is told at the start, or by the test's error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.capabilities import has_program, need
from tests.plugin.conftest import project  # noqa: F401 - a fixture
from tests.plugin.processes import with_marker
from tests.plugin.project import Project

from . import faults
from .faults import Fault, Result
from .scale import LONG

#: Those of launcher, factory, init and test; the host has few of its own.
CALLS = (
    "unshare setns mount umount2 pivot_root open_tree move_mount mount_setattr openat2 mknodat symlinkat "
    "sethostname capset setresuid setresgid setgroups keyctl fchdir pidfd_open setsid socketpair"
).split()

#: What may fail without harm: the making of a container that is kept ready; another one is made on demand.
SPARE = re.compile(r"unshare\(CLONE_NEWPID\)|setns\(\d+, CLONE_NEWPID\)|pidfd_open\(\d{6}, ")


@pytest.fixture
def command(project: Project) -> list[str]:  # noqa: F811
    """Return a command that runs one isolated test."""
    need(has_program("strace"), "strace")
    project.write("test_it.py", "def test_it():\n    pass\n")
    return project.command("--nsisolate-all", "-p", "no:cacheprovider", "--no-header")


def wrong_with(result: Result, marker: str) -> list[str]:
    """Return what is wrong with how a failure was dealt with."""
    if not result.calls or (result.code == 0 and all(map(SPARE.match, result.calls))):
        return []
    # The summary repeats what the error says, and so may the diagnosis, where the same call fails.
    said = result.output.partition("short test summary")[0]
    said = said.partition("what does not work here")[0]
    checks = {
        "the test passed": result.code == 0,
        "there is a traceback": "Traceback" in said or "INTERNALERROR" in said,
        "the errno is not there once": len(re.findall(r"\bEIO\b", said)) != 1,
        f"processes are left: {with_marker(marker)}": bool(with_marker(marker)),
    }
    return [f"{what}: {result}" for what, is_so in checks.items() if is_so]


def test_every_step_of_a_test(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever call fails, the run ends with an error that has the errno once, and all is gone."""
    marker = f"nsisolate-marker-{tmp_path}"
    monkeypatch.setenv("NSISOLATE_TEST_MARKER", marker)
    found = faults.find(command, CALLS, tmp_path / "log")
    assert len(found) > 150
    wrong = []
    for fault in faults.sample(found, 100) if LONG else QUICK:
        wrong += wrong_with(faults.run(command, [fault], tmp_path / "log"), marker)
    assert not wrong, "\n".join(wrong)


QUICK = [
    Fault("unshare", 1),
    Fault("mount_setattr", 2),
    Fault("openat2", 30),
    Fault("keyctl", 1),
    Fault("capset", 1),
    Fault("setsid", 1),
    Fault("socketpair", 2),
    Fault("pidfd_open", 1),
]
