"""TIOCSTI: a container that shares its caller's terminal must not be able to type into it."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from .attacker import add_python, set_attack
from .bundle import TIMEOUT, Bundle
from .identity import demotion
from .lifecycle import verb
from .runtime_under_test import runtime_command

TYPED = "echo escaped\n"

#: Types into each terminal that it gets hold of, also by making it its own first.
ATTACK = f"""
import fcntl, os, termios
fds = [0, 1, 2]
for name in ("/dev/tty", "/proc/self/fd/0", "/proc/1/fd/0", "/dev/console"):
    try: fds.append(os.open(name, os.O_RDWR))
    except OSError: pass
assert os.isatty(0)
typed = 0
for fd in fds:
    for own in (None, 0, 1):
        try:
            if own is not None: fcntl.ioctl(fd, termios.TIOCSCTTY, own)
            for letter in {TYPED!r}: fcntl.ioctl(fd, termios.TIOCSTI, letter.encode())
            typed += 1
        except OSError: pass
os.write(1, b"escaped" if typed else b"refused")
"""

#: A shell with that terminal: the caller's, whose input the attack would write.
CALLER = """
import fcntl, os, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
code = subprocess.call(sys.argv[1:])
os._exit(code)
"""


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Yield a pty's master and slave."""
    master, slave = pty.openpty()
    yield master, slave
    for fd in (master, slave):
        os.close(fd)


def call_with_terminal(bundle: Bundle, terminal: tuple[int, int], command: list[str]) -> str:
    """Run a command by a session that has the terminal; return what was printed there."""
    master, slave = terminal
    settings = termios.tcgetattr(slave)
    settings[3] &= ~termios.ECHO  # what is typed would be printed
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    os.fchmod(slave, 0o666)
    subprocess.run(
        [sys.executable, "-c", CALLER, *command],
        cwd="/",
        env=bundle.environment(),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        timeout=TIMEOUT,
        check=False,
        **demotion(bundle.identity),
    )
    return os.read(master, 65536).decode()


def typed_input(terminal: tuple[int, int]) -> int:
    """Return how many bytes wait to be read as what was typed."""
    waiting = fcntl.ioctl(terminal[1], termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(waiting, sys.byteorder)


def test_the_attack_works_where_nothing_is_contained() -> None:
    """The same code, in the caller's own session, types if this kernel lets anybody: it is a real attack."""
    allowed = Path("/proc/sys/dev/tty/legacy_tiocsti")
    pid, master = pty.fork()
    if pid == 0:
        try:
            exec(ATTACK, {})  # noqa: S102 - our own code, above
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    said = os.read(master, 65536).decode()
    os.close(master)
    if not allowed.exists() or allowed.read_text().strip() == "1":
        assert "escaped" in said
    else:
        assert "refused" in said or os.geteuid() == 0


def test_run_cannot_type(bundle: Bundle, terminal: tuple[int, int]) -> None:
    """A container whose streams are the caller's terminal is no session of it."""
    add_python(bundle)
    set_attack(bundle, ATTACK)
    said = call_with_terminal(bundle, terminal, bundle.command())
    assert said.strip() == "refused"
    assert typed_input(terminal) == 0


def test_exec_cannot_type(bundle: Bundle, terminal: tuple[int, int]) -> None:
    """Nor is what is executed in one."""
    add_python(bundle)
    set_attack(bundle, "import time; time.sleep(60)")
    bundle.write_config()
    ran = verb(bundle, "run", "--detach", "--bundle", str(bundle.path), bundle.id)
    assert ran.code == 0, ran
    attack = [*bundle.process["args"][:-1], ATTACK]
    said = call_with_terminal(bundle, terminal, [*runtime_command(), "exec", bundle.id, *attack])
    assert said.strip() == "refused"
    assert typed_input(terminal) == 0
