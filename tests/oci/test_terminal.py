"""``process.terminal`` and ``consoleSize``: a pty of the container's own."""

from __future__ import annotations

import os
import select
import signal
import termios
from collections.abc import Iterator

import pytest

from .. import terminal as terminal_of_a_user
from .bundle import TIMEOUT, Bundle, Running
from .lifecycle import ok, start
from .runtime_under_test import known_of_crun


class Terminal(terminal_of_a_user.Terminal):
    """The runtime's own terminal."""

    def start(self, bundle: Bundle, script: str) -> Running:
        """Start the container with this as its user's terminal."""
        bundle.process["terminal"] = True
        return bundle.start(script, **self.streams, start_new_session=True)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Yield a terminal for the runtime."""
    made = Terminal(TIMEOUT)
    yield made
    made.close()


def test_the_streams_are_a_terminal(bundle: Bundle, terminal: Terminal) -> None:
    """All three standard streams are one terminal: the first of the container's own devpts."""
    running = terminal.start(bundle, "tty; test -t 0 && test -t 1 && test -t 2 && echo all three")
    assert terminal.wait_for("all three").startswith("/dev/pts/0\r\n")
    assert running.finish().code == 0


def test_it_is_the_controlling_terminal(bundle: Bundle, terminal: Terminal) -> None:
    """/dev/tty is the container's terminal."""
    running = terminal.start(bundle, "echo to tty > /dev/tty")
    terminal.wait_for("to tty")
    assert running.finish().code == 0


def test_the_console_is_the_terminal(bundle: Bundle, terminal: Terminal) -> None:
    """config-linux.md: with a terminal there is a /dev/console, which is it."""
    running = terminal.start(bundle, "echo to console > /dev/console")
    terminal.wait_for("to console")
    assert running.finish().code == 0


def test_what_is_typed_arrives(bundle: Bundle, terminal: Terminal) -> None:
    """Input reaches the container, and comes back only once: our own terminal does not echo."""
    running = terminal.start(bundle, "echo ready; read line; echo got $line")
    terminal.wait_for("ready\r\n")
    terminal.type("hello\r")
    assert terminal.wait_for("got hello") == "hello\r\ngot hello"
    assert running.finish().code == 0


def test_control_c_interrupts_the_container(bundle: Bundle, terminal: Terminal) -> None:
    """Ctrl-C is the container's: it interrupts what runs in there, and not the runtime."""
    running = terminal.start(bundle, "trap 'echo caught; exit 5' INT; echo ready; read line")
    terminal.wait_for("ready\r\n")
    terminal.type("\x03")
    terminal.wait_for("caught")
    assert running.finish().code == 5


def test_the_size_is_the_users(bundle: Bundle, terminal: Terminal) -> None:
    """The container's terminal starts with the size of the user's."""
    known_of_crun("takes the size from its controlling terminal only")
    terminal.size(33, 99)
    running = terminal.start(bundle, "echo ready; read line; stty size")
    terminal.wait_for("ready\r\n")
    terminal.type("\r")
    terminal.wait_for("33 99")
    assert running.finish().code == 0


def test_a_change_of_size_reaches_the_container(bundle: Bundle, terminal: Terminal) -> None:
    """SIGWINCH to the runtime gives the container the new size, and its own SIGWINCH."""
    known_of_crun("takes the size from its controlling terminal only")
    script = "trap 'stty size; exit 6' WINCH; echo ready; while :; do read line; done"
    running = terminal.start(bundle, script)
    terminal.wait_for("ready\r\n")
    terminal.size(44, 111)
    running.send(signal.SIGWINCH)
    terminal.wait_for("44 111")
    assert running.finish().code == 6


def test_console_size_is_the_configs_without_a_terminal_outside(bundle: Bundle) -> None:
    """Without a terminal outside, the size is consoleSize's, and the output comes through."""
    known_of_crun("gives a size of 0 0 where it has no terminal itself")
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 12, "width": 34}
    assert bundle.run("stty size").out.strip() == "12 34"


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_pipe_gets_no_carriage_returns(bundle: Bundle, verb: str) -> None:
    """What a terminal would need at the ends of lines is left out where none reads them."""
    known_of_crun("refuses standard input that is no terminal")
    bundle.process["terminal"] = True
    if verb == "run":
        assert bundle.run("echo one; echo two").out == "one\ntwo\n"
        return
    bundle.process["terminal"] = False
    start(bundle)
    script = ("sh", "-c", "echo one; echo two")
    assert ok(bundle, "exec", "--tty", bundle.id, *script).out == "one\ntwo\n"


def test_input_from_a_pipe_reaches_the_terminal(bundle: Bundle) -> None:
    """Without a terminal outside, what comes through a pipe is typed, and its end is Ctrl-D."""
    known_of_crun("refuses standard input that is no terminal")
    bundle.process["terminal"] = True
    finished = bundle.run("stty -echo; cat; echo end", stdin="typed\n")
    assert finished.out.replace("\r", "").endswith("typed\nend\n")


def test_the_exit_code_comes_through(bundle: Bundle, terminal: Terminal) -> None:
    """The exit code is the container's with a terminal too, and the last output is not lost."""
    running = terminal.start(bundle, "seq 1 2000; exit 9")
    terminal.wait_for("\n2000\r\n")
    assert running.finish().code == 9


def test_the_users_terminal_is_restored(bundle: Bundle, terminal: Terminal) -> None:
    """Afterwards the user's terminal has the settings that it had."""
    before = termios.tcgetattr(terminal.slave)
    running = terminal.start(bundle, "echo ready; read line")
    terminal.wait_for("ready\r\n")
    assert termios.tcgetattr(terminal.slave) != before
    terminal.type("\r")
    assert running.finish().code == 0
    assert termios.tcgetattr(terminal.slave) == before


def test_a_container_that_does_not_read_cannot_hold_the_runtime(bundle: Bundle) -> None:
    """More input than the terminal takes keeps neither output nor signals from passing."""
    known_of_crun("refuses standard input that is no terminal")
    script = (
        "trap 'echo caught; exit 7' TERM; stty raw -echo; echo ready; while :; do sleep 0.1; done"
    )
    bundle.process["terminal"] = True
    running = bundle.start(script)
    assert running.line() == "ready"
    assert running.popen.stdin is not None
    os.set_blocking(running.popen.stdin.fileno(), False)
    try:
        while os.write(running.popen.stdin.fileno(), b"x" * 4096):
            select.select([], [running.popen.stdin], [], 0.2)
    except BlockingIOError:
        pass
    running.send(signal.SIGTERM)
    assert running.line() == "caught"
    assert running.popen.wait(TIMEOUT) == 7


def test_a_terminal_without_devpts_is_an_error(bundle: Bundle, terminal: Terminal) -> None:
    """A terminal needs a devpts mount, and the error says so."""
    known_of_crun("takes the host's")
    del bundle.config["mounts"][2]
    running = terminal.start(bundle, "true")
    terminal.wait_for("devpts")
    assert running.finish().code == 1


@pytest.mark.parametrize("identity", ["root", "root-userns"], indirect=True)
def test_the_terminal_belongs_to_the_containers_user(bundle: Bundle, terminal: Terminal) -> None:
    """The terminal can be opened by the container's user."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    running = terminal.start(bundle, "stat -c owner=%u $(tty); echo again > $(tty)")
    terminal.wait_for("owner=1000")
    terminal.wait_for("again")
    assert running.finish().code == 0
