"""A fork whose child is in its cgroup from the start.

To move a process to another cgroup of v2, the kernel waits until nobody forks or exits anywhere, which
takes it 10 ms and more. A process that is made there waits for nothing (clone3(2), Linux 5.7).
"""

from __future__ import annotations

import os

from .errors import KernelCallError


def fork_into(directory: str) -> tuple[int, str]:
    """Fork as os.fork(), into a cgroup of v2; as ever if *directory* is empty, or the kernel refuses.

    Joining says why, then. Returns 0 in the child, and its pid in the parent; and the directory that the
    child need not join, or "".
    """
    if not directory:
        return os.fork(), ""
    from .syscalls_fork import fork_into_cgroup

    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return os.fork(), ""
    try:
        return fork_into_cgroup(fd), directory
    except KernelCallError:
        return os.fork(), ""
    finally:
        os.close(fd)
