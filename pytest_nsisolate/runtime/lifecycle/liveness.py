"""Telling a process from another one that has got its pid: pidfd and start time together."""

from __future__ import annotations

import os
import select


def start_time(pid: int) -> int:
    """Return when the process began, in ticks since boot: /proc/PID/stat, field 22; 0 if it has ended.

    A zombie has ended: it only waits for its parent.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return 0
    # The second field, the name in parentheses, may hold spaces and parentheses itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return 0 if fields[0] in (b"Z", b"X", b"x") else int(fields[19])


def open_process(pid: int, began: int) -> int | None:
    """Return a pidfd of the process that has *pid* and began then; None if it has ended."""
    if pid <= 0:
        return None
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    # In this order: what the pidfd refers to cannot change any more when the start time is read.
    if start_time(pid) != began:
        os.close(pidfd)
        return None
    return pidfd


def wait_for_end(pidfd: int, seconds: float) -> bool:
    """Wait until the process has ended; False if that takes longer."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))
