"""Debuggers in isolated tests, and Ctrl-C: at a terminal, as a user sits at it."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from ..capabilities import need_subtests
from ..terminal import Terminal
from .processes import below, is_alive, wait_until
from .project import Project

PROMPT = "(Pdb) "


class Sitting:
    """A user at a terminal, in front of a pytest run."""

    def __init__(self, project: Project, terminal: Terminal) -> None:
        self._project = project
        self._terminal = terminal
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *args: str) -> None:
        """Run pytest with every test isolated."""
        options = ("--nsisolate-all", "--color=no", "-p", "no:cacheprovider")
        # Libedit and readline differ in what they print; neither is what this is about.
        env = os.environ | {"TERM": "dumb", "INPUTRC": os.devnull}
        command = self._project.command(*options, *args)
        self.process = self._terminal.launch(command, cwd=self._project.path, env=env)

    def type(self, line: str) -> None:
        """Type a line at a prompt of the debugger."""
        self._terminal.wait_for(PROMPT)
        self._terminal.type(f"{line}\n")

    def ask(self, line: str, answer: str) -> None:
        """Type a line at a prompt, and wait for what it shows."""
        self.type(line)
        self._terminal.wait_for(answer)

    def press(self, key: str) -> None:
        """Press a key."""
        self._terminal.type(key)

    def begin(self, line: str) -> None:
        """Begin to type a line, and see it.

        Ctrl-C drops what was typed and not read: readline, told that there is something, waits for it then,
        and takes no notice of signals.
        """
        self._terminal.type(line)
        self._terminal.wait_for(line)

    def interrupts(self, text: str) -> None:
        """Press Ctrl-C at a prompt until *text* is shown.

        Again and again: Python's input() takes no notice of what comes just before it waits.
        """
        for _ in range(10):
            self._terminal.type(CONTROL_C)
            if self._terminal.shows(text, 3):
                break
        self._terminal.wait_for(text)

    def sees(self, text: str) -> str:
        """Wait for a text; return what came up to it."""
        return self._terminal.wait_for(text)

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        assert self.process is not None
        return self.process.wait(60)


CONTROL_C, CONTROL_D = "\x03", "\x04"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal."""
    opened = Terminal(30)
    yield opened
    opened.close()


@pytest.fixture
def user(project: Project, terminal: Terminal) -> Iterator[Sitting]:
    """Return the user at that terminal."""
    sitting = Sitting(project, terminal)
    yield sitting
    if sitting.process is not None and sitting.process.poll() is None:
        sitting.process.kill()
        sitting.process.wait()


FAILING = """
    import os, pytest

    @pytest.fixture(scope="module")
    def wide():
        inner = "in wide"
        raise RuntimeError("no")

    @pytest.fixture
    def ending():
        yield
        last = "at the end"
        assert not last

    def test_fails():
        print("this was captured")
        value = 41
        assert value == 42

    def test_wide(wide):
        pass

    def test_ends(ending):
        pass

    def test_passes():
        pass
"""


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_post_mortem(project: Project, user: Sitting, capture: str) -> None:
    """--pdb stops where the test failed, in the sandbox: with its frames, values and processes."""
    project.write("test_it.py", FAILING)
    user.start("--pdb", f"--capture={capture}")
    if capture != "no":
        user.sees("test_it.py F")
        user.sees("captured stdout")
    user.sees("this was captured")
    user.sees("assert 41 == 42")
    user.sees("entering PDB")
    user.sees("-> assert value == 42")
    user.ask("p value + 1000", "1041")
    user.ask("p 'pid', os.getpid() < 20", "('pid', True)")
    user.type("c")
    user.ask("p inner", "'in wide'")
    user.type("c")
    user.ask("p last", "'at the end'")
    user.type("c")
    # The summary names the failures, and does not tell again what was debugged.
    summary = user.sees("1 failed, 2 passed, 2 errors")
    assert "FAILED test_it.py::test_fails" in summary
    assert "def test_fails" not in summary
    assert user.end() == 1


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_subtest(project: Project, user: Sitting, capture: str) -> None:
    """A failing subtest is debugged, and the test goes on where its output and breakpoints are seen."""
    need_subtests()
    project.write(
        "test_it.py",
        """
        def test_it(subtests):
            with subtests.test("a part"):
                part = 1
                assert part == 2
            print("still there")
            number = 41
            breakpoint()
            assert number
        """,
    )
    user.start("--pdb", f"--capture={capture}")
    user.ask("p part + 1000", "1001")
    user.type("c")
    if capture == "no":
        user.sees("still there")
    user.ask("p number + 1000", "1041")
    user.type("c")
    assert user.end() == 1


def test_breakpoint(project: Project, user: Sitting) -> None:
    """breakpoint() stops the test, and a wide fixture too; Ctrl-C at the prompt is the debugger's."""
    project.write(
        "test_it.py",
        """
        import os, pytest

        @pytest.fixture(scope="module")
        def wide():
            here = "set up"
            breakpoint()
            return here

        def test_it(wide):
            number = 1
            breakpoint()
            number = 2
            assert os.getpid() < 20
        """,
    )
    user.start()
    user.ask("p here", "'set up'")
    user.type("c")
    user.sees("PDB continue (IO-capturing resumed)")
    user.sees("PDB set_trace (IO-capturing turned off)")
    user.sees(PROMPT)
    user.begin("p num")
    user.interrupts("--KeyboardInterrupt--")
    user.ask("p number + 100", "101")
    if sys.version_info >= (3, 13):
        user.type("n")  # it stops at the breakpoint() itself
    user.type("n")
    user.ask("p number + 100", "102")
    user.type("c")
    user.sees("1 passed")
    assert user.end() == 0


def test_breakpoint_of_a_module(project: Project, user: Sitting) -> None:
    """One that is met while tests are collected stops once, here, and not again in the sandbox."""
    project.write("test_it.py", "at = 'import'\nbreakpoint()\n\ndef test_it():\n    assert at\n")
    user.start()
    user.ask("p at", "'import'")
    user.type("c")
    assert PROMPT not in user.sees("1 passed")
    assert user.end() == 0


def test_trace(project: Project, user: Sitting) -> None:
    """--trace stops at the beginning of each test."""
    project.write("test_it.py", "def test_a():\n    a = 5\n\ndef test_b():\n    b = 6\n")
    user.start("--trace")
    user.sees("-> a = 5")
    user.type("n")
    user.ask("p a * 100", "500")
    user.type("c")
    user.sees("-> b = 6")
    user.type("c")
    user.sees("2 passed")
    assert user.end() == 0


@pytest.mark.parametrize("key", ["q\n", CONTROL_D])
def test_quitting(project: Project, user: Sitting, key: str) -> None:
    """Leaving the debugger ends the session, as pytest does it."""
    project.write("test_it.py", "def test_a():\n    assert 0\n\ndef test_b():\n    pass\n")
    user.start("--pdb")
    user.sees(PROMPT)
    user.press(key)
    summary = user.sees("1 failed")
    assert "Exit: Quitting debugger" in summary
    assert user.end() == 2


def test_time_spent_debugging(project: Project, user: Sitting) -> None:
    """Whoever debugs is not timed out by the test's timeout."""
    project.write(
        "test_it.py",
        """
        import pytest, time

        @pytest.mark.isolated(timeout=1)
        def test_it():
            breakpoint()
            time.sleep(0.1)
        """,
    )
    user.start()
    user.type("time.sleep(1.5)")
    user.type("c")
    user.sees("1 passed")
    assert user.end() == 0


def test_death_in_the_debugger(project: Project, user: Sitting, terminal: Terminal) -> None:
    """A test that dies while it is debugged is a failure, and leaves the terminal as it was."""
    project.write("test_it.py", "import os\n\ndef test_it():\n    breakpoint()\n")
    before = termios.tcgetattr(terminal.slave)
    user.start()
    user.type("os.kill(os.getpid(), 9)")
    user.sees("was killed by SIGKILL")
    user.sees("1 failed")
    assert user.end() == 1
    assert termios.tcgetattr(terminal.slave) == before


def test_input(project: Project, user: Sitting) -> None:
    """With -s a test can ask the user, as a plain one can."""
    project.write("test_it.py", "def test_it():\n    assert input('name? ') == 'Bob'\n")
    user.start("-s")
    user.sees("name? ")
    user.press("Bob\n")
    user.sees("1 passed")
    assert user.end() == 0


SLEEPING = """
    import subprocess, time

    def test_sleeps():
        where = "asleep"
        subprocess.Popen(["sleep", "1000"])
        print("sleeping", flush=True)
        time.sleep(1000)

    def test_next():
        pass
"""


def test_interrupted_test(project: Project, user: Sitting) -> None:
    """Ctrl-C in mid-test: the summary is printed, the exit code is 2, and no process is left."""
    project.write("test_it.py", SLEEPING)
    user.start("-s")
    user.sees("sleeping")
    assert user.process is not None
    running = below(user.process.pid)
    assert any(process.name == "sleep" for process in running)
    user.press(CONTROL_C)
    user.sees("! KeyboardInterrupt !")
    user.sees("no tests ran in")
    assert user.end() == 2
    wait_until(lambda: not any(map(is_alive, running)), 10, "an end of all processes")


@pytest.mark.parametrize("times", [1, 2])
def test_test_that_will_not_be_interrupted(project: Project, user: Sitting, times: int) -> None:
    """A test that goes on after Ctrl-C is not waited for; the second Ctrl-C is the last."""
    project.write(
        "test_it.py",
        """
        import time

        def test_it():
            while True:
                try:
                    while True:
                        print("going on", flush=True)
                        time.sleep(100)
                except KeyboardInterrupt:
                    pass
        """,
    )
    user.start("-s")
    for _ in range(times):
        # Not before the last one was heard: Ctrl-C drops what is on its way to the terminal.
        user.sees("going on")
        user.press(CONTROL_C)
    user.sees("! KeyboardInterrupt !")
    user.sees("no tests ran in")
    assert user.end() == 2


def test_interrupt_with_debugger(project: Project, user: Sitting) -> None:
    """With --pdb, Ctrl-C in mid-test begins to debug it there; with "c" the next test is run."""
    project.write("test_it.py", SLEEPING)
    user.start("--pdb", "-s")
    user.sees("sleeping")
    user.press(CONTROL_C)
    user.ask("p where", "'asleep'")
    user.type("c")
    user.sees("1 failed, 1 passed")
    assert user.end() == 1


def test_without_a_terminal(project: Project) -> None:
    """Where there is nobody to ask, breakpoint() fails the test, as it does plainly."""
    project.write("test_it.py", "def test_it():\n    breakpoint()\n    assert 1\n")
    seen = []
    for option in ("--nsisolate=off", "--nsisolate-all"):
        command = [*project.command(option, "-q"), "--color=no"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=90,
            check=False,
            text=True,
        )
        seen.append((done.returncode, "bdb.BdbQuit" in done.stdout))
    assert seen[0] == seen[1] == (1, True)
