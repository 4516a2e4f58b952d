"""How a container ended."""

from __future__ import annotations

import os

from .record import Record


class Exited(Record):
    """The process returned, or called ``exit``."""

    code: int

    @property
    def exit_code(self) -> int:
        """What a shell would put into ``$?``."""
        return self.code


class Signalled(Record):
    """A signal ended the process."""

    signal: int
    dumped_core: bool = False

    @property
    def exit_code(self) -> int:
        """What a shell would put into ``$?``."""
        return 128 + self.signal


class TimedOut(Record):
    """The process ran longer than it was allowed to, and was killed."""

    seconds: float


class OutOfMemory(Record):
    """The kernel killed the process because its memory limit was reached."""

    peak_bytes: int


Outcome = Exited | Signalled | TimedOut | OutOfMemory


def of_wait_status(status: int) -> Exited | Signalled:
    """Return the outcome that a status from waitpid(2) tells of."""
    if os.WIFSIGNALED(status):
        return Signalled(signal=os.WTERMSIG(status), dumped_core=os.WCOREDUMP(status))
    return Exited(code=os.WEXITSTATUS(status))
