"""Where the machine cannot isolate, the run says so; no test is ever silently less isolated."""

from __future__ import annotations

import os

import pytest

from tests.capabilities import can_unshare, need

from .project import Project

SOURCE = """
import os, pytest

@pytest.mark.isolated
def test_isolated():
    print("ran in", os.getpid())

def test_plain():
    pass
"""

#: What makes isolation impossible, done in namespaces of its own, and what the run says about it.
LACKS = {
    "no-user-namespaces": (
        "echo 0 > /proc/sys/user/max_user_namespaces",
        "sysctl -w user.max_user_namespaces=",
    ),
    "masked-proc": ("mount -t tmpfs tmpfs /proc/irq", "mount /proc: "),
}


def run_lacking(project: Project, lack: str, *args: str) -> pytest.RunResult:
    """Run the project where something lacks."""
    options = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc")
    need(can_unshare(*options), "unshare(1) with user and mount namespaces")
    project.write("test_it.py", SOURCE)
    prepare = f'{LACKS[lack][0]} && exec "$@"'
    return project.run_in("unshare", *options, "sh", "-c", prepare, "sh", args=args)


@pytest.mark.parametrize("lack", LACKS)
def test_require_stops_at_the_start(project: Project, lack: str) -> None:
    """By default the run ends with 4 before any test, with the step, the cause and the fix."""
    result = run_lacking(project, lack)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    error = result.stderr.str()
    assert "nsisolate: isolation is not available: " in error
    assert LACKS[lack][1] in error
    assert "--nsisolate=skip" in error
    assert "Traceback" not in error + result.stdout.str()
    assert "1 passed" not in result.stdout.str()


@pytest.mark.parametrize("lack", LACKS)
def test_skip_skips_isolated_tests_only(project: Project, lack: str) -> None:
    """--nsisolate=skip skips what cannot be isolated, with the cause as its reason; plain tests run."""
    result = run_lacking(project, lack, "--nsisolate=skip", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*test_it.py:*isolation is not available: *"])


def test_off_runs_plainly(project: Project) -> None:
    """--nsisolate=off runs every test as if the plugin were not there, wherever that is."""
    result = run_lacking(project, "no-user-namespaces", "--nsisolate=off")
    result.assert_outcomes(passed=2)


def test_plain_tests_need_nothing(project: Project) -> None:
    """A run without isolated tests does not care what the machine can do."""
    result = run_lacking(project, "no-user-namespaces", "-k", "plain")
    result.assert_outcomes(passed=1, deselected=1)


def test_plugin_can_be_blocked(project: Project) -> None:
    """With `-p no:nsisolate` there is no option, no header and no isolation."""
    project.write("test_it.py", "def test_it():\n    pass\n")
    result = project.run("-p", "no:nsisolate")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("nsisolate*")


def test_root_of_a_user_namespace_isolates(project: Project) -> None:
    """Root of a namespace that an ordinary user made may set no groups, and is in some without a name."""
    need(can_unshare("--user", "--map-root-user"), "unshare(1) and user namespaces")
    project.write("test_it.py", SOURCE)
    groups = ("setpriv", "--groups", "0,27") if os.geteuid() == 0 else ("env",)
    result = project.run_in(*groups, "unshare", "--user", "--map-root-user", args=())
    result.assert_outcomes(passed=2)
