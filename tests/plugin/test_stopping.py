"""What stops a whole session stops it from inside of a sandbox as it does from a plain test."""

from __future__ import annotations

import re

import pytest

from .project import Project

TESTS = """
import pytest, sys

@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    yield
    (tmp_path_factory.getbasetemp() / "wide").write_text("torn down")

@pytest.fixture
def narrow(wide, tmp_path_factory):
    {setup}
    yield
    (tmp_path_factory.getbasetemp() / "narrow").write_text("torn down")
    {teardown}

def test_before():
    pass

def test_stops(narrow):
    {call}

def test_never():
    pass
"""

WAYS = {
    "exit": "pytest.exit('enough')",
    "exit-7": "pytest.exit('enough', returncode=7)",
    "interrupt": "raise KeyboardInterrupt",
    "interrupt-with-text": "raise KeyboardInterrupt('by the test')",
}


def shown(result: pytest.RunResult) -> list[str]:
    """Return a run's output without its header and durations."""
    lines = [line for line in result.outlines if not line.startswith("nsisolate: ")]
    return [re.sub(r" in [0-9][0-9.]*s|=", "", line) for line in lines]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_stop(project: Project, way: str, phase: str) -> None:
    """The message, the place, what is torn down and the exit code are those of a plain run."""
    phases = dict.fromkeys(("setup", "call", "teardown"), "pass") | {phase: WAYS[way]}
    project.write("test_it.py", TESTS.format(**phases))
    plain = project.run("--basetemp=plain")
    isolated = project.run("--nsisolate-all", "--basetemp=isolated")
    assert isolated.ret == plain.ret != 0
    assert shown(isolated) == shown(plain)
    torn_down = {
        name: sorted(path.name for path in (project.path / name).iterdir() if path.is_file())
        for name in ("plain", "isolated")
    }
    assert torn_down["isolated"] == torn_down["plain"]


def test_system_exit_fails_the_test(project: Project) -> None:
    """SystemExit is a failure of its test like any other, in every phase and scope."""
    project.write(
        "test_it.py",
        """
        import pytest, sys

        @pytest.fixture(scope="module")
        def wide():
            sys.exit("wide")

        @pytest.fixture
        def narrow():
            yield
            sys.exit("narrow")

        def test_call():
            sys.exit(3)

        def test_wide(wide):
            pass

        def test_narrow(narrow):
            pass

        def test_after():
            pass
        """,
    )
    plain, isolated = project.run(), project.run("--nsisolate-all")
    isolated.assert_outcomes(passed=2, failed=1, errors=2)
    assert shown(isolated) == shown(plain)
