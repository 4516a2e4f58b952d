"""Running one test: in a session with a terminal, with a time limit, and nothing left of it afterwards.

To be used by the first process of a PID namespace alone: whatever is there after a test is the test's.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .table import one_line

#: How long killed processes may take to be gone, before the run gives up.
_SECONDS_TO_DIE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a command gave: *exit_code* is None if it was out of time."""

    exit_code: int | None
    output: str
    seconds: float
    left: str

    @property
    def is_out_of_time(self) -> bool:
        """Tell whether the time limit ended the command."""
        return self.exit_code is None


class Sessions:
    """Runs commands one after the other, as *user* (uid and gid), and removes what each leaves.

    *sweep* removes what is not a process (cgroups, mounts), and says in words what there was.
    """

    def __init__(
        self,
        user: int,
        environment: Mapping[str, str],
        thaw: Callable[[], None],
        sweep: Callable[[], str],
    ) -> None:
        if os.getpid() != 1:
            raise RuntimeError(
                "would kill the processes of others: not the first process of a PID namespace"
            )
        self.user = user
        self._environment = environment
        self._thaw = thaw
        self._sweep = sweep
        # A byte arrives for each SIGCHLD, so that orphans are reaped at once: some tests wait until a pid is
        # gone.
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

    def run(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        log: Path,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        output_is_terminal: bool = False,
    ) -> Finished:
        """Run *command* for at most *timeout* seconds; its output is in *log* too."""
        started = time.monotonic()
        master, slave = _terminal()
        with log.open("wb") as out:
            os.fchown(slave, self.user, self.user)
            process = subprocess.Popen(
                command,
                env={**self._environment, **(environment or {})},
                cwd=directory,
                stdin=slave,
                stdout=slave if output_is_terminal else out,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=self.user,
                extra_groups=[],
                start_new_session=True,
                preexec_fn=_take_terminal,
            )
            exit_code = self._wait(process.pid, master, out, started + timeout)
            seconds = time.monotonic() - started
            left = [text for text in (self._kill_all(), self._sweep()) if text]
        # The driver reaps by itself; without this Popen warns that the process is still running.
        process.returncode = -signal.SIGKILL if exit_code is None else exit_code
        os.close(slave)
        os.close(master)
        text = log.read_text(errors="replace")
        return Finished(exit_code=exit_code, output=text, seconds=seconds, left=", ".join(left))

    def _wait(self, pid: int, master: int, out: BinaryIO, deadline: float) -> int | None:
        """Reap, and copy the terminal's output, until *pid* has ended; return its exit code."""
        poll = select.poll()
        poll.register(master, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        exit_code = None
        while exit_code is None and time.monotonic() < deadline:
            poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            self._forget_signals()
            _copy(master, out)
            exit_code = _reap().get(pid)
        _copy(master, out)
        return exit_code

    def _forget_signals(self) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            pass

    def _kill_all(self) -> str:
        """Kill and reap all processes but this one; return what there were, in words."""
        names = [name for name in map(_name, _others()) if name]
        deadline = time.monotonic() + _SECONDS_TO_DIE
        while _others():
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
            # A frozen process dies when it is thawed.
            self._thaw()
            _reap()
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"processes cannot be killed: {[_name(pid) for pid in _others()]}"
                )
            select.select([self._woken], [], [], 0.02)
            self._forget_signals()
        _reap()
        return f"left processes ({one_line(' '.join(sorted(set(names))))})" if names else ""


def _terminal() -> tuple[int, int]:
    """Return a pseudo terminal that neither echoes nor translates, of 24 lines and 80 columns."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    return master, slave


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _copy(master: int, out: BinaryIO) -> None:
    while True:
        try:
            data = os.read(master, 65536)
        except (BlockingIOError, OSError):
            break
        if not data:
            break
        out.write(data)
    out.flush()


def _reap() -> dict[int, int]:
    """Reap all that have ended; return their exit codes by pid, negative for a signal."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = os.waitstatus_to_exitcode(status)


def _others() -> list[int]:
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ]


def _name(pid: int) -> str:
    """Return the name of a process, or nothing if it is gone or waits only to be reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state = text.rpartition(")")[2].split()[0]
    return "" if state in {"Z", "X"} else text.partition("(")[2].rpartition(")")[0]
