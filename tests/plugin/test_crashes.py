"""A test whose process ends in an unusual way is a failure that says how, and the next test runs."""

from __future__ import annotations

import os

import pytest

from .project import Project

WAYS = {
    "segfault": ("import ctypes; ctypes.string_at(0)", "was killed by SIGSEGV"),
    "abort": ("os.abort()", "was killed by SIGABRT"),
    "exit_0": ("os._exit(0)", "exited with status 0 before its result was complete"),
    "exit_3": ("os._exit(3)", "exited with status 3 before its result was complete"),
    "sigkill": ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
    "sigterm": ("os.kill(os.getpid(), signal.SIGTERM)", "was killed by SIGTERM"),
    "sigalrm": ("signal.alarm(1); signal.pause()", "was killed by SIGALRM"),
    "group": ("os.killpg(0, signal.SIGKILL)", "was killed by SIGKILL"),
    "exec": ("os.execvp('true', ['true'])", "exited with status 0 before"),
}

CALL = """
import os, signal, sys

def test_crash():
    print("said before")
    os.system("echo said by a child")
    sys.stderr.write("said as an error\\n")
    {way}

def test_next():
    print("ran")
"""

FIXTURE = """
import os, pytest, signal, sys

@pytest.fixture
def crashing():
    print("said before")
    {before}
    yield
    {after}

def test_crash(crashing):
    pass

def test_next():
    pass
"""


@pytest.mark.parametrize("way", WAYS)
def test_crash_in_the_call(project: Project, way: str) -> None:
    """A crash is one failure that names its cause and has the output so far."""
    code, says = WAYS[way]
    result = project.test(CALL.format(way=code), "-rA")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*_ test_crash _*", f"*{says}*"])
    result.stdout.fnmatch_lines(["*Captured stdout call*", "said before", "said by a child"])
    result.stdout.fnmatch_lines(["*Captured stderr call*", "said as an error"])
    result.stdout.fnmatch_lines(["PASSED test_it.py::test_next"])


@pytest.mark.parametrize("way", ["segfault", "exit_0", "sigkill"])
@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_crash_in_a_fixture(project: Project, way: str, when: str) -> None:
    """A crash in a fixture's set-up or teardown is an error of that phase."""
    code, says = WAYS[way]
    before, after = (code, "pass") if when == "setup" else ("pass", code)
    result = project.test(FIXTURE.format(before=before, after=after))
    passed = 1 if when == "setup" else 2
    result.assert_outcomes(errors=1, passed=passed)
    result.stdout.fnmatch_lines([f"*ERROR at {when} of test_crash*", f"*{says}*"])


@pytest.mark.parametrize("way", ["segfault", "exit_0", "sigkill"])
def test_crash_in_a_session_fixture(project: Project, way: str) -> None:
    """A wide fixture that kills the process costs the tests that use it, and no other test."""
    code, says = WAYS[way]
    result = project.test(
        f"""
        import ctypes, os, pytest, signal

        def test_before():
            pass

        @pytest.fixture(scope="session")
        def crashing():
            {code}

        def test_crash(crashing):
            pass

        def test_after():
            pass
        """
    )
    result.assert_outcomes(errors=1, passed=2)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_crash*", f"*{says.split(' before')[0]}*"])


def test_stack_of_a_segfault(project: Project) -> None:
    """A segfault's report shows where in the test it happened, and none of the machinery around it."""
    result = project.test(
        """
        import ctypes

        def deep():
            ctypes.string_at(0)

        def test_crash():
            deep()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Fatal Python error: Segmentation fault*", "*in deep", "*in test_crash"]
    )
    result.stdout.no_fnmatch_line("*pytest_nsisolate/template*")


def test_crash_of_a_child_is_no_crash(project: Project) -> None:
    """A program that dies under a test is the test's own business."""
    project.test(
        """
        import os, signal, subprocess

        def test_child():
            assert subprocess.run(["sh", "-c", "kill -SEGV $$"]).returncode == -signal.SIGSEGV
            pid = os.fork()
            if not pid:
                os.abort()
            assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGABRT
        """
    ).assert_outcomes(passed=1)


def test_fork_that_returns_into_pytest(project: Project) -> None:
    """A child that forgets to exit after a fork is not taken for the test."""
    result = project.test(
        """
        import os

        def test_fork():
            if not os.fork():
                return
            os.wait()
            assert 0, "the parent's own result"

        def test_next():
            pass
        """
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] >= 1
    result.stdout.fnmatch_lines(["*1 passed*"])


@pytest.mark.parametrize(
    "raising",
    [
        "raise Unpicklable()",
        "raise Local()",
        "raise ReprRaises()",
        "raise RuntimeError(open('/dev/null'))",
        "raise ExceptionGroup('several', [ValueError(1), Unpicklable()])",
        "raise Unpicklable() from ReprRaises()",
        "def f(): f()\n    f()",
    ],
)
def test_unpicklable_exception(project: Project, raising: str) -> None:
    """An exception that cannot be pickled, rebuilt or printed fails its test with a plain run's text."""
    project.write("test_it.py", UNPICKLABLE.format(raising=raising))
    plain, isolated = project.run(), project.run("--nsisolate-all")
    isolated.assert_outcomes(failed=1, passed=1)
    assert failures(isolated) == failures(plain)


UNPICKLABLE = """
class Unpicklable(Exception):
    def __init__(self):
        super().__init__("lost")
        self.lock = __import__("threading").Lock()

    def __reduce__(self):
        raise TypeError("not me")

class ReprRaises(Exception):
    def __repr__(self):
        raise RuntimeError("no repr")
    __str__ = __repr__

def test_raise():
    class Local(Exception):
        pass
    {raising}

def test_next():
    pass
"""


def failures(result: pytest.RunResult) -> list[str]:
    """Return the part of the output that shows the failures, without addresses."""
    start = next(n for n, line in enumerate(result.outlines) if "= FAILURES =" in line)
    return [line.split(" at 0x")[0] for line in result.outlines[start:-1]]


#: A module whose function sends what is no report by every socket that a test has.
SENDING = """
import os

def garbage():
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                os.write(int(fd), b"\\x20\\x00\\x00\\x00\\x04{{{{")
        except OSError:
            pass
"""


def test_hostile_result(project: Project) -> None:
    """Garbage on the socket that results go out by is a failure, never a pass."""
    project.write("sending.py", SENDING)
    result = project.test(
        """
        import sending

        def test_hostile():
            sending.garbage()

        def test_next():
            pass
        """
    )
    result.assert_outcomes(failed=1, passed=1)


XFAIL = """
import os, pytest, signal, threading

{mark}
def test_crash({fixture}):
    print("said before")
    {way}

@pytest.fixture
def crashing():
    os.abort()

@pytest.fixture
def crashing_later():
    yield
    os.abort()

def test_next():
    pass
"""


@pytest.mark.parametrize(
    "mark",
    [
        "@pytest.mark.xfail(reason='known')",
        "@pytest.mark.xfail(reason='known', strict=True)",
        "@pytest.mark.xfail('sys.platform == \"linux\"', reason='known')",
        "@pytest.mark.xfail(os.name == 'posix', reason='known', run=True)",
    ],
)
def test_expected_crash(project: Project, mark: str) -> None:
    """A mark that expects a failure of whatever kind expects a crash, too."""
    text = XFAIL.format(mark=mark, fixture="", way="os.abort()")
    result = project.test(text, "-rxX", "--xfail-tb")
    result.assert_outcomes(xfailed=1, passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*was killed by SIGABRT*", "said before"])
    result.stdout.fnmatch_lines(["XFAIL test_it.py::test_crash - known"])


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("@pytest.mark.xfail(raises=BaseException)", ()),
        ("@pytest.mark.xfail('sys.platform == \"other\"', reason='known')", ()),
        ("@pytest.mark.xfail", ("--runxfail",)),
        (
            "@pytest.mark.xfail",
            ("-p", "no:skipping", "-W", "ignore::pytest.PytestUnknownMarkWarning"),
        ),
    ],
    ids=["raises", "condition", "runxfail", "no-skipping"],
)
def test_unexpected_crash(project: Project, mark: str, options: tuple[str, ...]) -> None:
    """A mark that expects an exception, or that does not count, expects no crash."""
    result = project.test(XFAIL.format(mark=mark, fixture="", way="os.abort()"), *options)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*was killed by SIGABRT*"])


@pytest.mark.parametrize(
    ("fixture", "outcomes"),
    [
        ("crashing", {"xfailed": 1, "passed": 1}),
        ("crashing_later", {"xpassed": 1, "xfailed": 1, "passed": 1}),
    ],
)
def test_expected_crash_in_a_fixture(
    project: Project, fixture: str, outcomes: dict[str, int]
) -> None:
    """So it is in each phase, as with an exception."""
    mark = "@pytest.mark.xfail"
    project.test(XFAIL.format(mark=mark, fixture=fixture, way="pass")).assert_outcomes(**outcomes)
    plainly = project.path / "test_it.py"
    plainly.write_text(plainly.read_text().replace("os.abort()", "raise ValueError"))
    project.run().assert_outcomes(**outcomes)


def test_expected_timeout(project: Project) -> None:
    """A timeout is a failure that may be expected as well."""
    mark = "@pytest.mark.xfail(reason='known')\n@pytest.mark.isolated(timeout=1)"
    text = XFAIL.format(mark=mark, fixture="", way="threading.Event().wait()")
    result = project.test(text, "-rx", "--junitxml=junit.xml")
    result.assert_outcomes(xfailed=1, passed=1)
    result.stdout.fnmatch_lines(["XFAIL test_it.py::test_crash - known"])
    assert 'type="pytest.xfail" message="known"' in (project.path / "junit.xml").read_text()


def test_garbage_is_no_expected_failure(project: Project) -> None:
    """What a test sends in place of a report stays a failure, and so does the loss of a wider scope."""
    project.write("sending.py", SENDING)
    result = project.test(
        """
        import os, pytest, sending

        @pytest.mark.xfail
        def test_hostile():
            sending.garbage()

        @pytest.fixture(scope="module")
        def crashing():
            os.abort()

        @pytest.mark.xfail
        def test_wide(crashing):
            pass
        """
    )
    result.assert_outcomes(failed=1, errors=1)


#: pytest looks so late that what a test has sent has come in at once, its start and its end.
LATE = """
import os, select, time

if os.readlink("/proc/self/ns/user") == "{host}":
    poll = select.poll

    class LatePoll:
        def __init__(self):
            poller = poll()
            self.register = poller.register
            self._poll = poller.poll

        def poll(self, timeout):
            time.sleep(0.5)
            return self._poll(timeout)

    select.poll = LatePoll
"""


def test_crash_while_pytest_is_busy(project: Project) -> None:
    """A crash is noticed however late pytest looks."""
    project.write("conftest.py", LATE.format(host=os.readlink("/proc/self/ns/user")))
    text = FIXTURE.format(before="os._exit(3)", after="pass")
    result = project.test(text)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*exited with status 3 before its result was complete*"])
