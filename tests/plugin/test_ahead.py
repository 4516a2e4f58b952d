"""The next test's clone is made while a test runs; nobody can tell, but by the clock."""

from __future__ import annotations

import textwrap

from .project import Project

#: Tells when this process began, and what time it is, in seconds since boot: both in whole
#: ticks, as what /proc tells, so that neither is before the other by rounding alone.
BEGAN = """
import os, time

TICKS = os.sysconf("SC_CLK_TCK")

def began():
    with open("/proc/self/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19]) / TICKS

def now():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // (10**9 // TICKS) / TICKS
"""

PAIR = (
    BEGAN
    + """
def test_first(shared):
    time.sleep(0.5)
    (shared / "ended").write_text(str(now()))

def test_second(shared):
    ahead = float((shared / "ended").read_text()) - began()
    (shared / "ahead").write_text(str(ahead))
"""
)

SHARED = """
import pathlib
import pytest

@pytest.fixture
def shared(tmp_path_factory):
    return tmp_path_factory.getbasetemp()
"""


def ahead(project: Project, conftest: str = "", tests: str = PAIR, *args: str) -> float:
    """Run the pair of tests; return how long before the first one's end the second one's process began."""
    project.write("conftest.py", SHARED + conftest)
    base = project.home / "base"
    result = project.test(tests, f"--basetemp={base}", *args)
    assert result.ret == 0, result.stdout.str()
    return float((base / "ahead").read_text())


def test_made_ahead(project: Project) -> None:
    """A test's process is there before the test before it has ended."""
    assert ahead(project) > 0.2


def test_not_before_plugins_have_had_their_say(project: Project) -> None:
    """Where a conftest has a hook that is run before the set-up, it is run in the template, as ever."""
    counting = """
    counted = []

    def pytest_runtest_setup(item):
        counted.append(item)
        item.number = len(counted)
    """
    tests = PAIR + "\ndef test_third(request):\n    assert request.node.number == 3\n"
    assert ahead(project, textwrap.dedent(counting), tests) <= 0


def test_not_beside_threads(project: Project) -> None:
    """What a thread of a fixture's does before a test begins, the test sees."""
    conftest = """
import threading, time
seen = []

@pytest.fixture(scope="session", autouse=True)
def thread():
    threading.Thread(target=lambda: [seen.append(time.sleep(0.05)) for _ in range(100)], daemon=True).start()
"""
    tests = PAIR.replace(
        "def test_second(shared):", "def test_second(shared):\n    count()"
    ).replace(
        "def test_first(",
        "from conftest import seen\ndef count():\n    assert len(seen) >= 3\n\ndef test_first(",
    )
    assert ahead(project, conftest, tests, "--import-mode=prepend") <= 0


def test_files_of_fixtures_processes(project: Project) -> None:
    """What a process of a fixture's writes while a test runs, the next one finds."""
    project.write(
        "conftest.py",
        """
        import os, subprocess, sys, time
        import pytest

        WRITER = '''
        import os, sys
        for line in sys.stdin:
            open("/tmp/" + line.strip(), "w").close()
            os.write(1, b"done")
        '''

        @pytest.fixture(scope="session")
        def writer():
            process = subprocess.Popen(
                [sys.executable, "-c", __import__("textwrap").dedent(WRITER)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            yield process
            process.kill()
        """,
    )
    project.test(
        """
        import os, time

        def write(process, name):
            process.stdin.write(name.encode() + b"\\n")
            process.stdin.flush()
            assert os.read(process.stdout.fileno(), 4) == b"done"

        def test_first(writer):
            assert not os.path.exists("/tmp/one")
            time.sleep(0.3)  # by now the next test's clone is there
            write(writer, "one")
            assert not os.path.exists("/tmp/one")

        def test_second(writer):
            assert os.path.exists("/tmp/one")
            time.sleep(0.3)
            write(writer, "two")

        def test_third(writer):
            assert os.path.exists("/tmp/one") and os.path.exists("/tmp/two")
        """
    ).assert_outcomes(passed=3)


def test_wider_fixtures_of_the_next_test(project: Project) -> None:
    """What is still to be set up or torn down for the next test is so in its turn."""
    project.write(
        "test_more.py",
        """
        import pytest

        trace = []

        @pytest.fixture(scope="module", params=[1, 2])
        def module(request):
            trace.append(f"M{request.param}")
            yield request.param
            trace.append(f"m{request.param}")

        @pytest.fixture(scope="class")
        def cls():
            trace.append("C")
            yield
            trace.append("c")

        class TestIt:
            def test_a(self, module):
                assert trace == {1: ["M1"], 2: ["M1", "C", "m1", "M2"]}[module]

            def test_b(self, module, cls):
                assert trace == {1: ["M1", "C"], 2: ["M1", "C", "m1", "M2"]}[module]

        def test_late(request):
            request.getfixturevalue("cls")
            assert trace[-1] == "C"
        """,
    )
    project.run().assert_outcomes(passed=5)
    project.run("--nsisolate-all").assert_outcomes(passed=5)


def test_environment_and_directory_of_the_moment(project: Project) -> None:
    """What plain tests change between two isolated ones counts for the second."""
    project.test_marked(
        """
        import os, time
        import pytest

        def test_plain():
            os.environ["MOMENT"] = "1"

        @pytest.mark.isolated
        def test_first():
            time.sleep(0.2)
            assert os.environ["MOMENT"] == "1" and os.getcwd() != "/"

        @pytest.mark.isolated(env={"OWN": "2"})
        def test_second():
            assert os.environ["MOMENT"] == "1" and os.environ["OWN"] == "2"

        def test_between():
            os.environ["MOMENT"] = "3"
            os.chdir("/")

        @pytest.mark.isolated
        def test_third():
            assert os.environ["MOMENT"] == "3" and "OWN" not in os.environ and os.getcwd() == "/"
        """
    ).assert_outcomes(passed=5)


def test_killed_while_it_waits(project: Project) -> None:
    """If a fixture's process kills the waiting clone, the next test gets another."""
    project.write(
        "conftest.py",
        """
        import subprocess, sys, textwrap
        import pytest

        KILLER = '''
        import os, signal, sys

        def is_waiting(pid):
            try:
                with open(f"/proc/{pid}/status") as file:
                    fields = dict(line.split(":", 1) for line in file)
            except OSError:
                return False
            levels = fields["NSpid"].split()
            return len(levels) > 1 and levels[-1] != "1" and fields["Name"].strip() != "busy"

        for _line in sys.stdin:
            waiting = [int(n) for n in os.listdir("/proc") if n.isdecimal() and is_waiting(n)]
            for pid in waiting:
                os.kill(pid, signal.SIGKILL)
                while os.path.exists(f"/proc/{pid}/fd/0"):  # until it has let go of its sockets
                    pass
            os.write(1, b"%d" % len(waiting))
        '''

        @pytest.fixture(scope="session")
        def killer():
            process = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(KILLER)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            yield process
            process.kill()
        """,
    )
    project.test(
        """
        import os, time

        def test_first(killer):
            with open("/proc/self/comm", "w") as file:
                file.write("busy")
            time.sleep(0.5)
            killer.stdin.write(b"now\\n")
            killer.stdin.flush()
            assert os.read(killer.stdout.fileno(), 1) == b"1"

        def test_second(killer):
            pass
        """
    ).assert_outcomes(passed=2)
