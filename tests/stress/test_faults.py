"""Each step of a container's set-up fails in turn: the error says which, and nothing is left."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.capabilities import has_program, need
from tests.oci.bundle import Bundle
from tests.oci.confined import cgroups_named
from tests.oci.conftest import bundle, busybox  # noqa: F401 - fixtures
from tests.oci.identity import Identity, identity_named
from tests.oci.runtime_under_test import ours_only, runtime_command

from . import faults
from .faults import CLEAN_UP, SET_UP, Fault, Result
from .scale import many

pytestmark = ours_only("its own errors")

#: What may fail without harm: a call as strace shows it, and why.
HARMLESS = {
    r'mkdir\("[^"]*/(state|nsisolate)", 0700\)': "the directory may be there already",
    r'rename\("[^"]*", "[^"]*~\d+"\)': "that is the clean-up, of which there is a warning",
}
_ERRNO = re.compile(r"\bEIO\b")


@pytest.fixture(params=["root", "root-userns"] if os.geteuid() == 0 else ["user"])
def identity(request: pytest.FixtureRequest) -> Identity:
    """Return who calls the runtime: strace cannot follow an ordinary user that root becomes."""
    chosen = identity_named(request.param)
    chosen.need()
    need(has_program("strace"), "strace")
    return chosen


@pytest.fixture
def command(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[str]:  # noqa: F811
    """Return a command that runs a container, below a root of its own."""
    bundle.process["args"] = ["true"]
    bundle.linux["maskedPaths"] = ["/proc/kcore", "/proc/acpi"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    bundle.write_config()
    for name, value in bundle.environment().items():
        monkeypatch.setenv(name, value)
    root = ["--root", str(bundle.path / "state")]
    return [*runtime_command(), *root, "run", "--bundle", str(bundle.path), bundle.id]


def left_of(bundle: Bundle) -> list[str]:  # noqa: F811
    """Return what is left of the container, but for processes and mounts, which its fixture looks for."""
    state = bundle.path / "state"
    return [*map(str, state.iterdir() if state.exists() else ()), *cgroups_named(bundle.id)]


def wrong_with(result: Result, left: list[str]) -> list[str]:
    """Return what is wrong with how a failure of the set-up was dealt with."""
    if not result.calls:
        return []  # the processes raced, and none made that call
    if result.code == 0 and any(re.match(p, c) for p in HARMLESS for c in result.calls):
        return []
    said = [line for line in result.output.splitlines() if not line.startswith("hint: ")]
    checks = {
        "it succeeded": result.code == 0,
        "there is a traceback": "Traceback" in result.output,
        "it is not one sentence": len(said) != 1 or not said[0].startswith("nsisolate: "),
        "the errno is not there once": len(_ERRNO.findall(result.output)) != 1,
        f"{left} are left": bool(left),
    }
    return [f"{what}: {result}" for what, is_so in checks.items() if is_so]


def test_every_step_of_run(bundle: Bundle, command: list[str], tmp_path: Path) -> None:  # noqa: F811
    """Whichever call of the set-up fails, `run` says so in one sentence, and leaves nothing."""
    found = faults.find(command, SET_UP, tmp_path / "log")
    assert len(found) > 150
    wrong = []
    for fault in faults.sample(found, many(40, len(found))):
        result = faults.run(command, [fault], tmp_path / "log")
        wrong += wrong_with(result, left_of(bundle))
        _remove(left_of(bundle))
    assert not wrong, "\n".join(wrong)


def test_every_step_of_the_clean_up(bundle: Bundle, command: list[str], tmp_path: Path) -> None:  # noqa: F811
    """Where something cannot be removed, the container's exit code stays, and a warning names that, once."""
    found = faults.find(command, CLEAN_UP, tmp_path / "log")
    assert len(found) > 3
    wrong = []
    for fault in faults.sample(found, many(3, len(found))):
        result = faults.run(command, [fault], tmp_path / "log")
        if not result.calls:
            continue  # the first time something was busy, and tried again
        warnings = [w for w in result.output.splitlines() if w.startswith("nsisolate: warning: ")]
        is_root = any('/state")' in call for call in result.calls)
        if result.code or len(warnings) != (not is_root) or "Traceback" in result.output:
            wrong.append(str(result))
        left = left_of(bundle)
        if len(left) > 1:
            wrong.append(f"{left} are left: {result}")
        _remove(left)
    assert not wrong, "\n".join(wrong)


def test_both_errors_are_kept(bundle: Bundle, command: list[str], tmp_path: Path) -> None:  # noqa: F811
    """When set-up and clean-up fail, the warning is of the one and the error of the other."""
    both = [Fault("pivot_root", 1, "EINVAL"), Fault("unlink", 1, "EROFS")]
    result = faults.run(command, both, tmp_path / "log")
    assert result.code == 1
    warning, error, hint = result.output.splitlines()
    assert warning.startswith("nsisolate: warning: state: cannot remove ")
    assert warning.endswith("EROFS: Read-only file system")
    assert error == "nsisolate: pivot_root: pivot_root('.', '.'): EINVAL: Invalid argument"
    assert hint.startswith("hint: ")
    _remove(left_of(bundle))


def _remove(paths: list[str]) -> None:
    for path in paths:
        for where, _names, files in os.walk(path, topdown=False):
            if not path.startswith("/sys"):
                for name in files:
                    os.unlink(f"{where}/{name}")
            os.rmdir(where)
