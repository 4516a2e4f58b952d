"""Children can be waited for, whatever our caller has done to the signal that tells of their end."""

from __future__ import annotations

import _signal


def expect_children() -> None:
    """Let children become zombies, and SIGCHLD come: both signal and mask are inherited (execve(2))."""
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_signal.SIGCHLD,))
