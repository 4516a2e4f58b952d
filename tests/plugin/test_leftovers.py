"""Whatever a test leaves behind, and however a run ends, no process, mount or file is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .processes import below, is_alive, wait_until, with_marker
from .project import Project

DAEMON = """
import os, subprocess, sys, time

def test_daemon():
    # Twice forked, a session of its own, no controlling terminal, deaf to signals.
    code = ("import os, signal, time\\n"
        "if os.fork(): os._exit(0)\\n"
        "os.setsid()\\n"
        "if os.fork(): os._exit(0)\\n"
        "for n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\\n"
        "open('/tmp/ready', 'w').close()\\n"
        "time.sleep(600)\\n")
    subprocess.Popen([sys.executable, "-c", code, "MARKER"]).wait()
    deadline = time.monotonic() + 20
    while not os.path.exists("/tmp/ready"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    WAY

def test_next():
    assert not os.path.exists("/tmp/ready")
    assert [pid for pid in os.listdir("/proc") if pid.isdecimal()] == ["1", str(os.getpid())]
"""

SLEEPER = """
import os, pytest, subprocess

@pytest.fixture(scope="session")
def service():
    return subprocess.Popen(["sleep", "600"])

def test_sleep(service, tmp_path_factory):
    open("made-in-project", "w").close()
    child = subprocess.Popen(["sleep", "600"])
    (tmp_path_factory.getbasetemp() / "started").touch()
    child.wait()
"""


@pytest.fixture
def marker(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a text that is in the environment of every process which this test starts."""
    marker = f"nsisolate-marker-{uuid.uuid4().hex}"
    monkeypatch.setenv("NSISOLATE_TEST_MARKER", marker)
    return marker


@pytest.fixture
def traces(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check afterwards that no mount and no temporary file is left."""
    temporary = project.path.parent / f"{project.path.name}-tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", tempfile.mkdtemp(dir=project.home))
    yield
    assert list(temporary.iterdir()) == []
    mounts = Path("/proc/self/mountinfo").read_text()
    assert [own for own in (project.path, temporary, project.home) if f"{own}/" in mounts] == []
    assert not (project.path / "made-in-project").exists()


@pytest.mark.usefixtures("traces")
@pytest.mark.parametrize("way", ["pass", "assert 0", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_daemon_ends_with_its_test(project: Project, marker: str, way: str) -> None:
    """A daemon that a test leaves behind is gone before the next test, however the test ended."""
    result = project.test(DAEMON.replace("WAY", way).replace("MARKER", marker))
    passed = 2 if way == "pass" else 1
    result.assert_outcomes(passed=passed, failed=2 - passed)
    assert with_marker(marker) == []


@pytest.mark.usefixtures("traces")
def test_daemon_of_a_session_fixture_ends_with_the_run(project: Project, marker: str) -> None:
    """What a wide fixture starts and does not stop is gone when pytest is."""
    project.test(SLEEPER.replace("child.wait()", "child.kill()")).assert_outcomes(passed=1)
    assert with_marker(marker) == []


@pytest.mark.usefixtures("traces")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_pytest_leaves_nothing(project: Project, number: int) -> None:
    """`kill -9` of pytest in mid-run, or SIGTERM, leaves no process within a second, mount or file."""
    with start(project) as running:
        others = below(running.pid)
        assert len(others) >= 6, others
        running.send_signal(number)
        running.wait(timeout=30)
    wait_until(lambda: not any(map(is_alive, others)), 1.0, "all processes are gone")


@pytest.mark.usefixtures("traces")
def test_interrupt_ends_the_run(project: Project) -> None:
    """Ctrl-C in mid-test ends the sandbox, prints the summary and exits with 2."""
    with start(project) as running:
        others = below(running.pid)
        os.killpg(running.pid, signal.SIGINT)
        output, _ = running.communicate(timeout=30)
    assert running.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    assert "no tests ran" in output
    assert not any(map(is_alive, others))


@pytest.mark.usefixtures("traces")
def test_killed_factory(project: Project) -> None:
    """When the sandbox's own factory is killed, the test fails and the run goes on with another."""
    project.write("test_next.py", "def test_next():\n    pass\n")
    with start(project, "test_it.py", "test_next.py") as running:
        others = below(running.pid)
        for process in others:
            if process.name == "nsisolate: fact":
                os.kill(process.pid, signal.SIGKILL)
        output, _ = running.communicate(timeout=60)
    assert "1 failed, 1 passed" in output, output
    assert not any(map(is_alive, others))


@contextmanager
def start(project: Project, *files: str) -> Iterator[subprocess.Popen[str]]:
    """Start pytest in a process group of its own, and wait until its test runs; it ends with the block."""
    project.write("test_it.py", SLEEPER)
    base = project.home / "base"
    command = project.command("--nsisolate-all", f"--basetemp={base}", *files)
    with subprocess.Popen(
        # A shell's background jobs ignore SIGINT, and what they start does too.
        ["env", "--default-signal", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            wait_until((base / "started").exists, 30, "the test has started")
            yield running
        except BaseException:
            running.kill()
            raise


def test_python_that_runs_us_is_the_one_that_runs_them(project: Project) -> None:
    """The processes of a sandbox run the interpreter that pytest runs."""
    project.test(f"import sys\n\ndef test_it():\n    assert sys.executable == {sys.executable!r}\n")


def test_options_of_the_interpreter(project: Project) -> None:
    """What Python was started with, tests are, too."""
    project.write(
        "test_it.py",
        """
        import sys

        def test_it():
            assert sys.flags.optimize == 0 and sys.flags.dev_mode
            assert sys._xoptions == {
                "dev": True, "int_max_str_digits": "5000", "no_debug_ranges": True
            }
        """,
    )
    python, *command = project.command("--nsisolate-all")
    given = ["-X", "dev", "-X", "int_max_str_digits=5000", "-X", "no_debug_ranges"]
    project.run_program(python, *given, *command).assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["--ignore-signal=CHLD", "--block-signal=CHLD"])
def test_children_of_one_who_expects_none(project: Project, option: str) -> None:
    """Whoever starts pytest may have ignored or blocked the signal of children's ends."""
    project.write("test_it.py", "def test_it():\n    pass\n")
    result = project.run_in("env", option, args=("--nsisolate-all",))
    result.assert_outcomes(passed=1)
