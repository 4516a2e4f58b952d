"""Starting the launcher of a factory: a bare interpreter, which then waits for its order.

What to build need not be known yet: it takes a while to start, in which the tests can be collected.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ..pytest_private_output import global_captures, original_stdin
from ..runtime.bare_interpreter import bare
from ..runtime.errors import SetupError, call_of

_LAUNCH = "from pytest_nsisolate.runtime.factory.launch import main; main()"

#: Seconds that it has to end when it is told to.
_END_WITHIN = 5.0


@contextmanager
def as_setup_error(step: str) -> Iterator[None]:
    """Say which *step* it is that the kernel refuses, for want of descriptors or processes, say."""
    try:
        yield
    except OSError as error:
        raise SetupError(step, call_of(error), error.errno or 0) from error


class Launcher:
    """A running launcher: *factory* and *template* are our ends of those sockets, *order* is written to."""

    @as_setup_error("launcher")
    def __init__(self, config: pytest.Config) -> None:
        """Start it. Raises SetupError."""
        with ExitStack() as passed, ExitStack() as kept:
            self.factory, factory = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            kept.enter_context(self.factory)
            passed.enter_context(factory)
            self.template, template = socket.socketpair()
            kept.enter_context(self.template)
            passed.enter_context(template)
            order, self.order = os.pipe()
            kept.callback(os.close, self.order)
            passed.callback(os.close, order)
            self._pid = _spawn(config, (factory.fileno(), template.fileno(), order))
            kept.pop_all()

    def take_order(self) -> int:
        """Return the descriptor that the order is written to; it is the caller's now."""
        fd, self.order = self.order, -1
        return fd

    def discard(self) -> None:
        """End it without an order."""
        if self.order >= 0:
            os.close(self.take_order())
        self.factory.close()
        self.template.close()
        self.reap()

    def reap(self) -> None:
        """Wait until it ends, as it does after the factory; not for ever."""
        try:
            pidfd = os.pidfd_open(self._pid)
        except ProcessLookupError:
            return  # somebody else has reaped it
        try:
            poll = select.poll()  # and not select(2), which knows few descriptors
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(_END_WITHIN * 1000):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        except ChildProcessError:
            pass
        finally:
            os.close(pidfd)


def _spawn(config: pytest.Config, passed: tuple[int, ...]) -> int:
    """Start the launcher with these descriptors; return its pid."""
    for fd in passed:
        os.set_inheritable(fd, True)
    args = bare(_LAUNCH, *map(str, passed))
    sys.stdout.flush()
    sys.stderr.flush()
    # A session of its own: what is typed at the terminal is for pytest to decide on.
    return os.posix_spawn(
        args[0], args, dict(os.environ), setsid=True, file_actions=_streams(config)
    )


def _streams(config: pytest.Config) -> list[tuple[int, int, int]]:
    """Return what makes the standard streams those that pytest itself was started with."""
    captures = global_captures(config)
    fds = {0: original_stdin(config)} | {n: c.targetfd_save for n, c in captures.items()}
    return [(os.POSIX_SPAWN_DUP2, fd, stream) for stream, fd in fds.items() if fd != stream]
