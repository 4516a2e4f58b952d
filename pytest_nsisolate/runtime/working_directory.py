"""Entering ``process.cwd``, as the runtime or as the process's user."""

from __future__ import annotations

import errno
import os

from .errors import SetupError
from .privileges import become

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import Process


def become_in_cwd(process: Process, *, keep: int) -> None:
    """Become the process's user, in its cwd; *keep* is a mask of capabilities (:func:`~.privileges.become`).

    One of the two has to have access to the cwd, we or the user: a directory may be closed to him, and one
    on a volume of his own may be closed to us. Raises SetupError, also if it is outside of the
    container (CVE-2024-21626).
    """
    cwd = process.cwd
    entered = _enter(cwd, may_be_denied=True)
    become(process, keep=keep)
    if not entered:
        _enter(cwd, may_be_denied=False)
    if not _is_inside():
        raise SetupError("process.cwd", f"{cwd!r} is outside of the container")


def _enter(cwd: str, *, may_be_denied: bool) -> bool:
    """Change to *cwd*; False if permission was denied."""
    try:
        os.chdir(cwd)
    except OSError as error:
        if may_be_denied and error.errno in (errno.EACCES, errno.EPERM):
            return False
        raise SetupError("process.cwd", f"chdir to {cwd!r}", error.errno or 0) from error
    return True


def _is_inside() -> bool:
    # For a directory that cannot be reached from the root the kernel says "(unreachable)...", and the C
    # library ENOENT (getcwd(3)).
    try:
        return os.getcwd().startswith("/")
    except FileNotFoundError:
        return False
