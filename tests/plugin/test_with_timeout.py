"""pytest-timeout: its timers run where the test runs, and its reports are those of a plain run."""

from __future__ import annotations

import importlib.util

import pytest

from ..capabilities import need
from .comparison import run_both, run_with
from .project import Project

TESTS = """
    import pytest, time

    @pytest.mark.timeout(0.5)
    def test_sleep():
        print("so far")
        time.sleep(60)

    @pytest.mark.timeout(0.5)
    def test_spin():
        while True:
            pass

    @pytest.mark.timeout(0.5, func_only=True)
    def test_function_only():
        time.sleep(60)

    @pytest.fixture(params=["function", "module"])
    def slow(request):
        return request.getfixturevalue(f"slow_{request.param}")

    @pytest.fixture
    def slow_function():
        time.sleep(60)

    @pytest.fixture(scope="module")
    def slow_module():
        time.sleep(60)

    @pytest.mark.timeout(0.5)
    def test_set_up(slow_function):
        pass

    @pytest.mark.timeout(0.5)
    def test_wide_set_up(slow_module):
        pass

    @pytest.fixture
    def slow_end():
        yield
        time.sleep(60)

    @pytest.mark.timeout(0.5)
    def test_teardown(slow_end):
        pass

    @pytest.mark.timeout(0.5)
    def test_in_time():
        pass

    def test_without():
        time.sleep(0.6)
"""


@pytest.fixture(autouse=True)
def needs_timeout() -> None:
    """Skip without the plugin."""
    need(importlib.util.find_spec("pytest_timeout") is not None, "pytest-timeout")


def test_by_signal(project: Project) -> None:
    """The same phases of the same tests time out, with the same text; the others are left in peace."""
    project.write("test_it.py", TESTS)
    _plain, isolated = run_both(project, "-v", plugins=("timeout",))
    isolated.assert_outcomes(failed=3, passed=3, errors=3)
    assert isolated.stdout.str().count("Timeout (>0.5s) from pytest-timeout.") >= 6


def test_by_option(project: Project) -> None:
    """--timeout and the ini file count for every test."""
    project.write("test_it.py", "import time\ndef test_it():\n    time.sleep(60)\n")
    run_both(project, "--timeout=0.3", plugins=("timeout",))
    project.write("pytest.ini", "[pytest]\ntimeout = 0.3\n")
    run_both(project, plugins=("timeout",))


def test_by_thread(project: Project) -> None:
    """The thread prints every stack and ends the process: plainly the whole run, isolated the test alone."""
    project.write(
        "test_it.py",
        """
        import time

        def test_hangs():
            print("so far")
            time.sleep(60)

        def test_next():
            pass
        """,
    )
    options = ("--timeout=0.5", "--timeout-method=thread")
    result = run_with(project, ["timeout"], *options, "--nsisolate-all")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "the test's process exited with status 1 before its result was complete",
        ]
    )


def test_session_timeout(project: Project) -> None:
    """--session-timeout ends the session after the test that it comes in."""
    source = "import time\ndef test_one():\n    time.sleep(0.6)\ndef test_two():\n    pass\n"
    project.write("test_it.py", source)
    run_both(project, "--session-timeout=0.5", plugins=("timeout",))
