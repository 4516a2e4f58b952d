"""Statements of ours in an interpreter of their own, a bare one: no ``site``, no PYTHON*, no threads."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def bare(statement: str, *args: str) -> list[str]:
    """Return the command that executes *statement*, which can import this package, with *args*."""
    return [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {_ROOT!r}); {statement}",
        *args,
    ]


def run_bare(statement: str, *args: str, passed: Sequence[int] = ()) -> int:
    """Execute *statement*, silently, with the descriptors *passed*; return its exit code."""
    silent = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    for fd in passed:
        os.set_inheritable(fd, True)
    command = bare(statement, *args)
    pid = os.posix_spawn(command[0], command, dict(os.environ), file_actions=silent)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
