"""What a container uses, and when it is out of memory, for as long as it runs."""

from __future__ import annotations

import os
import select
import time

from ..errors import LifecycleError
from .liveness import open_process
from .pausing import cgroup_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..cgroups.oom import OutOfMemory
    from .state import State


def statistics(state: State) -> dict[str, object]:
    """Return what the container has used, in runc's words. Raises LifecycleError."""
    from ..cgroups.stats import stats
    from ..resctrl_stats import class_stats

    found = stats(cgroup_of(state, "watch"))
    found["intel_rdt"] = class_stats(state.kept().class_of_service)
    # runc lists interfaces that it has made itself, and it makes none.
    found["network_interfaces"] = None
    return found


def stream(state: State, interval: float) -> Iterator[tuple[str, dict[str, object] | None]]:
    """Yield ``("stats", statistics)`` every *interval* seconds and ``("oom", None)``, until the end.

    Raises LifecycleError if the container has none to tell of.
    """
    cgroup = cgroup_of(state, "watch")
    pidfd = open_process(state.pid, state.start_time)
    if pidfd is None:
        raise LifecycleError(f"container not running: {state.id!r} is stopped")
    from ..cgroups.oom import OutOfMemory

    out_of_memory = OutOfMemory(cgroup)
    try:
        yield from _events(state, interval, pidfd, out_of_memory)
    finally:
        out_of_memory.close()
        os.close(pidfd)


def _events(
    state: State, interval: float, pidfd: int, out_of_memory: OutOfMemory
) -> Iterator[tuple[str, dict[str, object] | None]]:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if out_of_memory.fd >= 0:
        poll.register(out_of_memory.fd, out_of_memory.awaited)
    due = time.monotonic() + interval
    while True:
        ready = {fd for fd, _events in poll.poll(max(0.0, due - time.monotonic()) * 1000)}
        # A kill for want of memory and the end that comes of it are two events.
        if out_of_memory.happened():
            yield "oom", None
        if pidfd in ready:
            return
        if time.monotonic() >= due:
            yield "stats", statistics(state)
            due = max(due + interval, time.monotonic())
