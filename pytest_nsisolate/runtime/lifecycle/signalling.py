"""Signals to a container: to its first process, to all of them, and the one that ends it."""

from __future__ import annotations

import _signal
import os

from ..errors import LifecycleError
from .liveness import open_process, wait_for_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .state import State

_PATIENCE = 10.0


def signal_init(state: State, number: int) -> bool:
    """Send a signal to the container process; False if it has ended."""
    pidfd = open_process(state.pid, state.start_time)
    if pidfd is None:
        return False
    try:
        _signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    _let_die(state, number)
    return True


def signal_all(state: State, number: int) -> int:
    """Send a signal to every process of the container; return how many there were.

    None escapes SIGKILL by being forked meanwhile.
    """
    signalled: set[int] = set()
    while found := {*processes(state)} - signalled:
        for pid in found:
            _signal_one(pid, number)
        signalled |= found
        if number != _signal.SIGKILL:
            break
    _let_die(state, number)
    return len(signalled)


def _let_die(state: State, number: int) -> None:
    """Let killed processes die, also in a paused container; other signals wait until it goes on."""
    cgroup = state.kept().cgroup
    if number == _signal.SIGKILL and cgroup is not None:
        from ..cgroups.removal import thaw_if_frozen

        # Never a process that has got its pid: it would be moved into the container's cgroup.
        thaw_if_frozen(cgroup, state.pid if _is_alive(state) else 0)


def _is_alive(state: State) -> bool:
    pidfd = open_process(state.pid, state.start_time)
    if pidfd is not None:
        os.close(pidfd)
    return pidfd is not None


def processes(state: State) -> list[int]:
    """Return the pids of the container's processes, as the host sees them.

    Its first process, and those in its own cgroup, which may outlive it; without one, those in its
    namespaces.
    """
    cgroup = state.kept().cgroup
    first = [state.pid] if _is_alive(state) else []
    if cgroup is not None and not cgroup.shared:
        from ..cgroups.removal import pids

        return sorted({*first, *pids(cgroup)})
    from .members import members

    return members(state.pid) if first else []


def _signal_one(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end(state: State) -> None:
    """Kill all of a container, and wait for its end."""
    pidfd = open_process(state.pid, state.start_time)
    if pidfd is None:
        return
    try:
        signal_all(state, _signal.SIGKILL)
        if not wait_for_end(pidfd, _PATIENCE):
            raise LifecycleError(f"container {state.id!r} does not end, though it was killed")
    finally:
        os.close(pidfd)
