"""A template that ends between two tests, or in mid-test, never lets a test pass that did not run."""

from __future__ import annotations

import pytest

from .project import Project

#: On the host: when the first test is through, let the template end, and go on when it has.
CONFTEST = """
import os

def pytest_configure(config):
    global the_config
    the_config = config

def pytest_runtest_logfinish(nodeid):
    on_host = the_config.pluginmanager.hasplugin("nsisolate-isolation")
    if on_host and nodeid.endswith("test_first"):
        (the_config._tmp_path_factory.getbasetemp() / "end").write_text("now")
        # The launcher is the only child, and ends after all that is in the sandbox.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
"""

TESTS = """
import os, pytest, signal, threading

@pytest.fixture(scope="session", autouse=True)
def dies_between_tests(tmp_path_factory):
    fifo = tmp_path_factory.getbasetemp() / "end"
    if fifo.exists():
        return

    def end():
        fifo.read_text()
        {way}

    os.mkfifo(fifo)
    threading.Thread(target=end, daemon=True).start()

def test_first():
    pass

def test_second():
    {second}

def test_third():
    pass
"""

WAYS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
    "exited": ("os._exit(0)", "exited with status 0"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("second", ["pass", "assert 0"])
def test_end_between_tests(project: Project, way: str, second: str) -> None:
    """The next test is an error that says why, whatever it would have been; the one after it runs."""
    code, says = WAYS[way]
    project.write("conftest.py", CONFTEST)
    result = project.test(TESTS.format(way=code, second=second), "--basetemp=base")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_second*",
            f"before this test the template {says}",
            "(the template is the process that sets up fixtures of wider scopes *",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
