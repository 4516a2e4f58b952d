"""Nothing that a test changes is seen by another."""

from __future__ import annotations

import pytest

from .project import Project

CHANGES = """
import os, signal, socket, sys, tempfile, pathlib, resource
import pytest

STATE = {"list": []}


def assert_clean():
    assert STATE == {"list": []}
    assert "LEAKED" not in os.environ
    assert not hasattr(os, "leaked")
    assert "leaked_module" not in sys.modules
    assert socket.gethostname() == "nsisolate"
    assert os.getcwd() == str(pathlib.Path(__file__).parent)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] != 7
    assert os.umask(0o022) == 0o022
    for place in (tempfile.gettempdir(), os.getcwd(), os.environ["HOME"], "/run", "/dev/shm"):
        assert not os.path.exists(place + "/leaked"), place


def change_everything():
    for place in (tempfile.gettempdir(), os.getcwd(), os.environ["HOME"], "/run", "/dev/shm"):
        try:
            open(place + "/leaked", "w").close()
        except PermissionError:
            assert place == "/run"
    STATE["list"].append(1)
    os.environ["LEAKED"] = "yes"
    os.leaked = True
    sys.modules["leaked_module"] = os
    try:
        socket.sethostname("leaked")
    except PermissionError:
        pass
    os.chdir("/")
    signal.signal(signal.SIGUSR1, lambda *args: None)
    resource.setrlimit(resource.RLIMIT_CORE, (7, 7))
    os.umask(0o077)
"""

TESTS = """
@pytest.mark.parametrize("number", [1, 2, 3])
def test_in_function(number):
    assert_clean()
    change_everything()

@pytest.fixture
def changed():
    assert_clean()
    change_everything()

def test_in_fixture(changed):
    pass

class TestInClass:
    def test_one(self):
        assert_clean()
        change_everything()
        type(self).leaked = True

    def test_two(self):
        assert_clean()
        assert not hasattr(type(self), "leaked")
"""

MIXED = """
def test_plain_before():
    os.environ["SET_BY_PLAIN"] = "1"

@pytest.mark.isolated
def test_isolated():
    assert_clean()
    assert os.environ["SET_BY_PLAIN"] == "1"
    change_everything()

def test_plain_after():
    STATE_NOW = dict(STATE)
    assert STATE_NOW == {"list": []}
    assert "LEAKED" not in os.environ and not hasattr(os, "leaked")
    del os.environ["SET_BY_PLAIN"]

@pytest.mark.isolated
def test_isolated_after():
    assert_clean()
    assert "SET_BY_PLAIN" not in os.environ
"""


def test_between_isolated_tests(project: Project) -> None:
    """Files, environment, modules, globals, cwd, signals, limits, umask and host name are fresh each time."""
    project.test(CHANGES + TESTS).assert_outcomes(passed=6)


def test_between_plain_and_isolated_tests(project: Project) -> None:
    """An isolated test starts with the host's environment of the moment, and gives nothing back."""
    project.test_marked(CHANGES + MIXED).assert_outcomes(passed=4)


def test_tests_that_depend_on_each_other_are_found(project: Project) -> None:
    """A test that only passes because of its neighbour passes plainly and fails isolated."""
    project.write(
        "test_it.py",
        """
        loaded = []

        def test_first():
            loaded.append(1)

        def test_second():
            assert loaded
        """,
    )
    project.run().assert_outcomes(passed=2)
    project.run("--nsisolate-all").assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("order", [["test_a.py", "test_b.py"], ["test_b.py", "test_a.py"]])
def test_order_does_not_matter(project: Project, order: list[str]) -> None:
    """Files that both change the process pass in either order."""
    for name in "ab":
        project.write(f"test_{name}.py", CHANGES + TESTS)
    project.run("--nsisolate-all", *order).assert_outcomes(passed=12)
