"""The launcher: the parent of the two-process pattern."""

from __future__ import annotations

import _signal
import os

from . import init, namespaces
from . import syscalls as sys
from .channel import FORKED, GO, MAPS_WRITTEN, READY, TERMINAL, WANT_MAPS, Channel
from .errors import ChannelError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .init import SecondStage
    from .plan import Plan
    from .preparation import Preparation


class Launched:
    """A container that has been built and waits for :meth:`go`.

    *pid* is the container process's, as the launcher sees it; *terminal_fd* the pty's master or None.
    """

    def __init__(self, pid: int, terminal_fd: int | None, channel: Channel) -> None:
        self.pid = pid
        self.terminal_fd = terminal_fd
        self._channel = channel

    def go(self) -> None:
        """Let the container process run. Raises PayloadError if it cannot be executed."""
        try:
            self._channel.send(GO)
            self._channel.receive_end()
        except BaseException:
            self.kill()
            raise
        finally:
            self._channel.close()

    def kill(self) -> None:
        """Kill the container process, and with a pid namespace all others, and reap it."""
        _kill_and_reap(self.pid)


def launch(
    plan: Plan,
    second_stage: SecondStage = init.container,
    preparation: Preparation | None = None,
) -> Launched:
    """Build the plan's container, up to READY. Raises SetupError; nothing is left behind then.

    But for *preparation*'s groups, which last as long as the container and are the caller's to remove.

    Makes the calling process a subreaper: the container process's own parent exits after the fork.
    """
    sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1, name="PR_SET_CHILD_SUBREAPER, 1")
    ours, theirs = Channel.pair()
    first = os.fork()
    if first == 0:
        ours.close()
        init.first_stage(plan, theirs, second_stage, preparation)
    theirs.close()
    if preparation is not None:
        preparation.close()
    pids = [first]
    try:
        launched = _attend(plan, first, ours, pids)
        if preparation is not None:
            preparation.finish(plan, launched.pid)
        return launched
    except BaseException as error:
        ours.close()
        for pid in reversed(pids):
            _kill_and_reap(pid)
        if preparation is not None:
            preparation.explain(error)
        raise


def _attend(plan: Plan, first: int, channel: Channel, pids: list[int]) -> Launched:
    if plan.creates("user"):
        channel.receive(WANT_MAPS)
        namespaces.write_id_maps(first, plan.uid_mappings, plan.gid_mappings)
        channel.send(MAPS_WRITTEN)
    # FORKED comes from another process than the rest, and may come after it.
    rest = [TERMINAL, READY] if plan.process is not None and plan.process.terminal else [READY]
    pid, terminal_fd = 0, None
    while rest or not pid:
        expected = rest[:1] if pid else [FORKED, *rest[:1]]
        kind, fields, fd = channel.receive(*expected)
        if kind == FORKED:
            pid = _pid_of(fields[0])
            pids.append(pid)
            os.waitpid(first, 0)
            pids.remove(first)
        else:
            rest.remove(kind)
            terminal_fd = fd if kind == TERMINAL else terminal_fd
    return Launched(pid, terminal_fd, channel)


def _pid_of(field: str) -> int:
    if not field.isdecimal() or not field.isascii() or int(field) < 2:
        raise ChannelError(f"FORKED with the pid {field!r}")
    return int(field)


def _kill_and_reap(pid: int) -> None:
    try:
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
