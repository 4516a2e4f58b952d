"""Limiting the processes of a user namespace without a cgroup: RLIMIT_NPROC.

Since Linux 5.14 it counts per user and user namespace (setrlimit(2), user_namespaces(7)), and a new user
namespace starts at 0: in one of its own, the limit of a container is a limit of that container's processes.
Before that it counts all of the user's, and it never holds for the machine's root.
"""

from __future__ import annotations

import os

from . import syscalls as sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_COUNTS, _DOES_NOT = 0, 3
_PROBE = "from pytest_nsisolate.runtime.process_limit import probe; probe()"


def limit_processes(most: int) -> None:
    """Let the calling process's user have *most* processes in its user namespace, now and for good."""
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def counts_processes() -> bool:
    """Tell, from having tried, whether a user namespace of ours has a count of its own; errors mean no."""
    from .bare_interpreter import run_bare

    return run_bare(_PROBE) == _COUNTS


def probe() -> NoReturn:
    """Try it in the calling process, which ends: 0 if a new user namespace counts for itself."""
    code = _DOES_NOT
    try:
        sys.unshare(sys.CLONE_NEWUSER)
        limit_processes(2)
        child = os.fork()
        if child == 0:
            os._exit(_grandchild_is_refused())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os._exit(code)


def _grandchild_is_refused() -> int:
    try:
        pid = os.fork()
    except BlockingIOError:
        return _COUNTS
    if pid:
        os.waitpid(pid, 0)
    return _DOES_NOT
