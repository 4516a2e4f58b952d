"""pytest-rerunfailures: each attempt is in a fresh sandbox, and otherwise as in a plain run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ..capabilities import need
from .comparison import run_with, shown
from .project import Project

COUNT = """
    import os, pathlib

    def count(what):
        path = pathlib.Path(os.environ["COUNTS"])
        with path.open("a") as file:
            file.write(what + "\\n")
        return path.read_text().split().count(what)
"""

TESTS = """
    import os, pytest
    from count import count

    @pytest.fixture(scope="session")
    def session():
        count("session")
        yield
        count("session-end")

    @pytest.fixture(scope="module")
    def module():
        if count("module") < 2:
            raise RuntimeError("the first time")
        yield
        count("module-end")

    @pytest.fixture
    def function():
        if count("function") < 2:
            raise RuntimeError("the first time")

    @pytest.fixture
    def end():
        yield
        if count("end") < 2:
            raise RuntimeError("the first time")

    def test_flaky(session):
        attempt = count("flaky")
        print("attempt", attempt)
        os.write(1, b"written\\n")
        assert attempt == 3

    def test_never():
        assert 0

    def test_set_up(function):
        pass

    def test_wide_set_up(module):
        pass

    def test_teardown(end):
        pass

    @pytest.mark.flaky(reruns=2, only_rerun=["ValueError"])
    @pytest.mark.parametrize("error", [ValueError, TypeError])
    def test_only(error):
        if count(error.__name__) < 2:
            raise error

    @pytest.mark.flaky(reruns=2, rerun_except=["OSError"])
    def test_except():
        raise OSError

    @pytest.mark.flaky(reruns=2, condition=False)
    def test_condition():
        assert 0

    @pytest.mark.xfail
    def test_xfail():
        assert 0

    @pytest.mark.skip
    def test_skip():
        pass

    class TestClass:
        @classmethod
        def setup_class(cls):
            count("class")

        def test_one(self):
            assert count("one") == 2

        def test_two(self):
            pass

    def test_last(session, module):
        assert count("last") == 3
"""


@pytest.fixture
def counts(
    project: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a file that isolated tests may write to; the project has a module that counts in it."""
    need(importlib.util.find_spec("pytest_rerunfailures") is not None, "pytest-rerunfailures")
    path = tmp_path_factory.mktemp("counts") / "counts"
    project.write("count.py", COUNT)
    project.write("pytest.ini", f"[pytest]\npythonpath = .\nnsisolate_writable = {path.parent}\n")
    monkeypatch.setenv("COUNTS", str(path))
    return path


def test_reruns(project: Project, counts: Path) -> None:
    """What is printed, run again, set up again and torn down is the same."""
    project.write("test_it.py", TESTS)
    project.write("test_next.py", "def test_next(): pass\n")
    seen = []
    for options in ([], ["--nsisolate-all"]):
        counts.unlink(missing_ok=True)
        result = run_with(project, ["rerunfailures"], "--reruns=2", "-rAR", *options)
        seen.append((counts.read_text().split(), shown(result), result.ret))
    assert seen[0] == seen[1]
    assert "RERUN test_it.py::test_flaky" in seen[1][1]


def test_rerun_in_another_module(project: Project, counts: Path) -> None:
    """A wide scope that was kept for an attempt that never came is torn down before the next test."""
    project.write(
        "test_it.py",
        """
        import pytest
        from count import count

        @pytest.fixture(scope="module")
        def module():
            yield
            count("end")

        def test_it(module):
            assert 0
        """,
    )
    project.write("test_next.py", "def test_next(): pass\n")
    # With this option the plugin decides only after the teardown that there is no other attempt.
    options = ("--reruns=1", "--max-suite-reruns=0", "--nsisolate-all")
    result = run_with(project, ["rerunfailures"], *options)
    result.assert_outcomes(failed=1, passed=1)
    assert counts.read_text().split() == ["end"]


def test_fresh_sandbox(project: Project, counts: Path) -> None:
    """An attempt finds nothing of the one before it: no file, no process, no module state."""
    project.write(
        "test_it.py",
        """
        import os, pathlib, subprocess
        from count import count

        state = []

        def test_it():
            assert not state
            assert not pathlib.Path("left").exists()
            assert not pathlib.Path("/tmp/left").exists()
            assert len([p for p in os.listdir("/proc") if p.isdecimal()]) == 2
            state.append(1)
            pathlib.Path("left").touch()
            pathlib.Path("/tmp/left").touch()
            subprocess.Popen(["sleep", "100"])
            assert count("attempt") == 3, "once more"
        """,
    )
    result = run_with(project, ["rerunfailures"], "--reruns=2", "--nsisolate-all")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}
    assert counts.read_text().split() == ["attempt"] * 3


def test_reruns_of_a_crash(project: Project, counts: Path) -> None:
    """A test that crashes is run again like one that fails."""
    project.write(
        "test_it.py",
        """
        import os, signal
        from count import count

        def test_it():
            if count("attempt") < 3:
                os.kill(os.getpid(), signal.SIGSEGV)
        """,
    )
    result = run_with(project, ["rerunfailures"], "--reruns=2", "--nsisolate-all")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}
    assert counts.read_text().split() == ["attempt"] * 3
