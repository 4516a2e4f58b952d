"""Finding and executing the container's program, with the errors that a shell would give."""

from __future__ import annotations

import errno
import os
import stat

from . import syscalls as sys
from .errors import PayloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .plan import Process
    from .seccomp.load import Filter

NOT_FOUND = 127
NOT_EXECUTABLE = 126
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_UMASK = 0o022
_PASSWD_LIMIT = 1 << 20


def find_executable(process: Process) -> str:
    """Return the path of ``args[0]``, looked up in the container's own PATH."""
    name = process.args[0]
    if "/" in name:
        _check(name)
        return name
    denied = None
    for directory in _search_path(process.env) if name else ():
        candidate = f"{directory or '.'}/{name}"
        try:
            _check(candidate)
        except PayloadError as error:
            if error.exit_code == NOT_EXECUTABLE:
                denied = denied or error
            continue
        return candidate
    raise denied or PayloadError(f'exec: "{name}": executable file not found in $PATH', NOT_FOUND)


def _search_path(env: tuple[str, ...]) -> list[str]:
    for entry in reversed(env):  # of two, the program gets the last
        if entry.startswith("PATH="):
            return entry.removeprefix("PATH=").split(":")
    return _DEFAULT_PATH.split(":")


def _check(path: str) -> None:
    try:
        found = os.stat(path)
    except OSError as error:
        raise _failure(path, error) from None
    if stat.S_ISDIR(found.st_mode):
        raise PayloadError(f'exec: "{path}": is a directory', NOT_EXECUTABLE)
    if not os.access(path, os.X_OK, effective_ids=True):
        raise PayloadError(f'exec: "{path}": permission denied', NOT_EXECUTABLE)


def with_home(process: Process) -> Process:
    """Return the process with HOME, from the container's /etc/passwd, unless it has one; as runc and crun."""
    if any(entry.startswith("HOME=") for entry in process.env):
        return process
    return process.replace(env=(*process.env, f"HOME={_home_of(process.user.uid)}"))


def _home_of(uid: int) -> str:
    try:
        # It is the container's: it may be no file at all, and as long as it likes.
        fd = os.open("/etc/passwd", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            lines = os.read(fd, _PASSWD_LIMIT).split(b"\n")
        finally:
            os.close(fd)
    except OSError:
        return "/"
    for line in lines:
        fields = line.split(b":")
        if len(fields) > 5 and fields[2] == str(uid).encode() and fields[5].startswith(b"/"):
            return os.fsdecode(fields[5])
    return "/"


def seal(process: Process, preserve_fds: int) -> None:
    """Set what execve hands on: the umask, and no descriptor but the standard three (CVE-2024-21626).

    And *preserve_fds* that the caller wants to hand on, from 3 on.
    """
    umask = process.user.umask
    os.umask(DEFAULT_UMASK if umask is None else umask)
    sys.close_range_on_exec(3 + preserve_fds)


def execute(path: str, process: Process, syscall_filter: Filter | None = None) -> NoReturn:
    """Become the program: execve(2).

    The filter of system calls comes last, so that of the runtime's own it sees only execve, and what
    tells the listener.
    """
    if syscall_filter is not None:
        syscall_filter.load()
    env = dict(entry.split("=", 1) for entry in process.env)
    try:
        os.execve(path, process.args, env)
    except OSError as error:
        raise _failure(path, error) from None


def _failure(path: str, error: OSError) -> PayloadError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return PayloadError(f'exec: "{path}": no such file or directory', NOT_FOUND)
    return PayloadError(f'exec: "{path}": {(error.strerror or "failed").lower()}', NOT_EXECUTABLE)
