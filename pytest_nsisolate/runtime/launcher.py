"""The launcher: the parent of the two-process pattern."""

from __future__ import annotations

import _signal
import errno
import os

from . import init, namespaces
from . import syscalls as sys
from .cgroup_fork import fork_into
from .channel import (
    BUILT,
    FORKED,
    GO,
    HOOKS_DONE,
    MAPS_WRITTEN,
    READY,
    TERMINAL,
    WANT_MAPS,
    Channel,
)
from .errors import ChannelError, NsisolateError, PayloadError, SetupError
from .preparation import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

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
    on_built: Callable[[int], None] | None = None,
    preparation: Preparation = NOTHING,
) -> Launched:
    """Build the plan's container, up to READY. Raises SetupError; nothing is left behind then.

    But for *preparation*'s groups, which last as long as the container and are the caller's to remove.
    *on_built* is called with the container process's pid when the root is built, before pivot_root; it is
    for a plan with hooks that are called then.
    """

    def write_maps(first: int, channel: Channel) -> None:
        if plan.creates("user"):
            channel.receive(WANT_MAPS)
            namespaces.write_id_maps(first, plan.uid_mappings, plan.gid_mappings)
            channel.send(MAPS_WRITTEN)

    rest = [TERMINAL] if plan.process is not None and plan.process.terminal else []
    if init.has_runtime_hooks(plan):
        rest.append(BUILT)

    def first_stage(channel: Channel, born_in: str) -> NoReturn:
        init.first_stage(plan, channel, second_stage, preparation, born_in)

    try:
        launched = attend_fork(
            first_stage, [*rest, READY], write_maps, on_built, preparation.v2_directory
        )
    except ChannelError as error:
        preparation.explain(error)
        raise
    finally:
        preparation.close()
    try:
        preparation.finish(plan, launched.pid)
    except BaseException:
        launched.kill()
        raise
    return launched


def attend_fork(
    first_stage: Callable[[Channel, str], NoReturn],
    rest: list[int],
    on_fork: Callable[[int, Channel], None] | None = None,
    on_built: Callable[[int], None] | None = None,
    cgroup: str = "",
) -> Launched:
    """Fork *first_stage* and hold the conversation up to READY; *rest* is what it has to say.

    *cgroup* is the directory of a cgroup of v2 to be born in, if that can be: *first_stage* is told.
    Makes the calling process a subreaper: the container process's own parent exits after the fork.
    """
    sys.prctl(sys.PR_SET_CHILD_SUBREAPER, 1, name="PR_SET_CHILD_SUBREAPER, 1")
    ours, theirs = Channel.pair()
    try:
        first, born_in = fork_into(cgroup)
    except OSError as error:
        ours.close()
        theirs.close()
        raise SetupError("fork", "fork()", error.errno or 0, _fork_hint(error)) from error
    if first == 0:
        ours.close()
        first_stage(theirs, born_in)
    theirs.close()
    pids = [first]
    on_its_own = False
    try:
        if on_fork is not None:
            on_fork(first, ours)
        on_its_own = True  # from here on the first one waits for nothing of ours
        return _attend(rest, ours, pids, on_built)
    except BaseException as error:
        if on_its_own and isinstance(error, SetupError | PayloadError) and pids == [first]:
            pids += _forked_late(ours)
        ours.close()
        # The first one first: only then is the other one our child.
        for pid in pids:
            _kill_and_reap(pid)
        raise


def _fork_hint(error: OSError) -> str:
    if error.errno == errno.EAGAIN:
        return "there are too many processes: RLIMIT_NPROC, or the limit of pids of a cgroup"
    return ""


def _attend(
    rest: list[int],
    channel: Channel,
    pids: list[int],
    on_built: Callable[[int], None] | None,
) -> Launched:
    # FORKED comes from another process than the rest, and may come after it.
    pid, terminal_fd, built = 0, None, False
    while rest or not pid:
        expected = rest[:1] if pid else [FORKED, *rest[:1]]
        kind, fields, fd = channel.receive(*expected)
        if kind == FORKED:
            pid = _pid_of(fields[0])
            pids.append(pid)
            os.waitpid(pids[0], 0)
            del pids[0]
        else:
            rest.remove(kind)
            terminal_fd = fd if kind == TERMINAL else terminal_fd
            built = built or kind == BUILT
        if built and pid:
            built = False
            if on_built is not None:
                on_built(pid)
            channel.send(HOOKS_DONE)
    return Launched(pid, terminal_fd, channel)


def _forked_late(channel: Channel) -> list[int]:
    """Return the pid of a process that has failed before its parent could tell of it."""
    try:
        _kind, fields, _fd = channel.receive(FORKED)
        return [_pid_of(fields[0])]
    except NsisolateError:
        return []  # it was the first one that failed


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
