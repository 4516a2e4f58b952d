"""The process that a scope begins with: systemd starts none without, and forgets it with its last one.

The container's cgroup is there, with its limits, before the container's first process is forked.
"""

from __future__ import annotations

import _signal
import os

from ... import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Placeholder:
    """A child that does nothing, until :meth:`end` or our own end."""

    def __init__(self) -> None:
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _wait(parent)

    def end(self) -> None:
        """End it, if it has not been ended yet."""
        pid, self.pid = self.pid, 0
        if pid:
            os.kill(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)


def _wait(parent: int) -> NoReturn:
    try:
        # What is sent to all of our group is our parent's business.
        _signal.set_wakeup_fd(-1)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        sys.prctl(sys.PR_SET_PDEATHSIG, _signal.SIGKILL, name="PR_SET_PDEATHSIG, SIGKILL")
        while os.getppid() == parent:
            _signal.pause()
    finally:
        os._exit(1)
