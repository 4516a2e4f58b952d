"""A test that takes longer than its timeout is killed, and its report shows where it was."""

from __future__ import annotations

import time

import pytest

from .project import Project

HANGING = """
import pytest, threading, time

def wait_forever():
    print("waiting", flush=True)
    threading.Event().wait()

FIXTURES

def test_next():
    pass
"""

CALL = """
@pytest.mark.isolated(timeout=2)
def test_hang():
    wait_forever()
"""

FIXTURE = """
@pytest.fixture
def hanging():
    wait_forever()

@pytest.mark.isolated(timeout=2)
def test_hang(hanging):
    pass
"""

TEARDOWN = """
@pytest.fixture
def hanging():
    yield
    wait_forever()

@pytest.mark.isolated(timeout=2)
def test_hang(hanging):
    pass
"""

SESSION = FIXTURE.replace("@pytest.fixture", "@pytest.fixture(scope='session')")


@pytest.mark.parametrize(
    ("source", "outcomes"),
    [
        pytest.param(CALL, {"failed": 1, "passed": 1}, id="call"),
        pytest.param(FIXTURE, {"errors": 1, "passed": 1}, id="fixture"),
        pytest.param(TEARDOWN, {"errors": 1, "passed": 2}, id="teardown"),
        pytest.param(SESSION, {"errors": 1, "passed": 1}, id="session-fixture"),
    ],
)
def test_hang(project: Project, source: str, outcomes: dict[str, int]) -> None:
    """A hang in the call or a fixture is a failure there, with the stack and the output; the run goes on."""
    began = time.monotonic()
    result = project.test(HANGING.replace("FIXTURES", source))
    assert time.monotonic() - began < 30
    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines(["*timeout: the test ran for more than 2 s and was killed*"])
    result.stdout.fnmatch_lines(["*(most recent call first)*", "*in wait_forever*"])
    result.stdout.fnmatch_lines(["waiting"])


def test_every_thread_is_shown(project: Project) -> None:
    """The stacks of all threads are in the report, also of one that holds the test up."""
    result = project.test_marked(
        """
        import pytest, threading

        def worker_waits():
            threading.Event().wait()

        @pytest.mark.isolated(timeout=2)
        def test_hang():
            thread = threading.Thread(target=worker_waits)
            thread.start()
            thread.join()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*in worker_waits*"])
    result.stdout.fnmatch_lines(["*in test_hang*"])


@pytest.mark.parametrize(
    "hang",
    [
        pytest.param("while True: pass", id="busy"),
        pytest.param(
            "for n in range(1, 32):\n        if n not in (9, 19): signal.signal(n, signal.SIG_IGN)\n"
            "    while True: signal.pause()",
            id="ignores-signals",
        ),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", id="stopped"),
        pytest.param("subprocess.run(['sleep', '600'])", id="child"),
        pytest.param(
            "signal.pthread_sigmask(0, range(1, 65)); time.sleep(600)", id="blocks-signals"
        ),
    ],
)
def test_stubborn(project: Project, hang: str) -> None:
    """However a test hangs, it is killed."""
    result = project.test_marked(
        f"""
import os, pytest, signal, subprocess, time

@pytest.mark.isolated(timeout=2)
def test_hang():
    {hang}

def test_next():
    pass
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*timeout: *"])


def test_timeout_covers_set_up_and_call_together(project: Project) -> None:
    """The time is for the whole test, not for each phase."""
    result = project.test_marked(
        """
        import pytest, time

        @pytest.fixture
        def slow():
            time.sleep(2.5)

        @pytest.mark.isolated(timeout=4)
        def test_slow(slow):
            time.sleep(2.5)
        """
    )
    result.assert_outcomes(failed=1)


def test_ini_timeout_and_the_marks(project: Project) -> None:
    """nsisolate_timeout is the default, and a mark's own timeout replaces it."""
    project.write("pytest.ini", "[pytest]\nnsisolate_timeout = 1\n")
    result = project.test(
        """
        import pytest, time

        def test_hang():
            time.sleep(600)

        @pytest.mark.isolated(timeout=60)
        def test_slow():
            time.sleep(1.2)
        """
    )
    result.assert_outcomes(failed=1, passed=1)
