"""Attending a container in the foreground: its signals, its terminal, its end."""

from __future__ import annotations

import _signal
import os
import select

from .outcome import Exited, Signalled, of_wait_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .launcher import Launched
    from .notify import Relay
    from .terminal_proxy import TerminalProxy

#: Those that stop us or tell of our own faults are not the container's business.
_NOT_FORWARDED = (
    _signal.SIGKILL,
    _signal.SIGSTOP,
    _signal.SIGCHLD,
    _signal.SIGTSTP,
    _signal.SIGTTIN,
    _signal.SIGTTOU,
    _signal.SIGPIPE,
    _signal.SIGSEGV,
    _signal.SIGBUS,
    _signal.SIGFPE,
    _signal.SIGILL,
)


class Signals:
    """Signals as bytes on a pipe, from the moment that this is made, so that none is lost."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self._write_fd, False)
        _signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in (set(_signal.valid_signals()) - set(_NOT_FORWARDED)) | {_signal.SIGCHLD}:
            _signal.signal(number, _ignore)

    def pending(self) -> bytes:
        """Return the numbers of the signals that came since the last call."""
        try:
            return os.read(self.read_fd, 4096)
        except BlockingIOError:
            return b""


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the number is in the pipe already."""


def attend(launched: Launched, signals: Signals, relay: Relay | None = None) -> Exited | Signalled:
    """Forward signals and the terminal until the container process ends; return how it ended.

    And pass on with *relay* what it tells systemd.
    """
    if launched.terminal_fd is None:
        return _attend_process(launched.pid, signals, relay)
    from . import terminal_proxy

    with terminal_proxy.TerminalProxy(launched.terminal_fd) as proxy:
        return _attend_with_terminal(launched.pid, signals, proxy, relay)


def _attend_process(pid: int, signals: Signals, relay: Relay | None) -> Exited | Signalled:
    poll = _poll(signals, relay)
    while True:
        ended = reap(pid)
        if relay is not None:
            relay.pass_on()  # also what came just before the end
        if ended is not None:
            return ended
        poll.poll()
        for number in signals.pending():
            forward(pid, number)


def _poll(signals: Signals, relay: Relay | None) -> select.poll:
    poll = select.poll()
    poll.register(signals.read_fd, select.POLLIN)
    if relay is not None:
        poll.register(relay.fileno(), select.POLLIN)
    return poll


def _attend_with_terminal(
    pid: int, signals: Signals, proxy: TerminalProxy, relay: Relay | None
) -> Exited | Signalled:
    poll = _poll(signals, relay)
    while True:
        ended = reap(pid)
        if relay is not None:
            relay.pass_on()
        if ended is not None:
            proxy.drain()
            return ended
        proxy.register(poll)
        for fd, events in poll.poll():
            if fd != signals.read_fd and (relay is None or fd != relay.fileno()):
                proxy.copy(fd, events)
        for number in signals.pending():
            if number == _signal.SIGWINCH:
                proxy.copy_size()
            else:
                forward(pid, number)


def forward(pid: int, number: int) -> None:
    """Send a signal on, unless it is one that is not forwarded."""
    if number not in _NOT_FORWARDED:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def reap(pid: int) -> Exited | Signalled | None:
    """Reap whatever has ended; return the outcome of *pid* if that is among it."""
    outcome = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return outcome
        if not ended:
            return outcome
        if ended == pid:
            outcome = of_wait_status(status)
