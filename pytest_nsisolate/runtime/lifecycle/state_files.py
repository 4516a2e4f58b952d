"""The files of the state: written whole, nobody else's, and believed only if they are as we write them."""

from __future__ import annotations

import os
import stat

from ..errors import LifecycleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .state import State

_TYPES = {
    "id": str,
    "bundle": str,
    "rootfs": str,
    "created": str,
    "owner_uid": int,
    "pid": int,
    "start_time": int,
    "phase": str,
    "external_descriptors": str,
    "groups": dict | None,
    "device_rules": str,
}


def check_types(state: State) -> None:
    """Raise ValueError for what we would not have written."""
    for name, expected in _TYPES.items():
        value = getattr(state, name)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise ValueError(f"{name} is {value!r:.100}")
    if not 0 <= state.pid < 2**31:
        raise ValueError(f"pid is {state.pid!r:.100}")
    if not all(isinstance(value, str) for _name, value in state.annotations):
        raise ValueError("annotations are not texts")


def write_atomically(path: str, content: bytes, mode: int | None = None) -> None:
    """Write a file that is either there and whole, or not there; *mode* counts whatever the umask is."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    fd = _create(temporary)
    try:
        with open(fd, "wb") as file:
            if mode is not None:
                os.fchmod(fd, mode)
            file.write(content)
        os.rename(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        raise


def _create(path: str) -> int:
    # Where others may write, too, a symlink of theirs could have that name.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o666)
    except FileExistsError:
        os.unlink(path)  # of a process that had our pid, and was killed
        return os.open(path, flags, 0o666)


def refuse_others(root: str, *, is_default: bool) -> None:
    """Refuse a directory in which somebody else could put something else in a container's place.

    Raises LifecycleError.
    """
    # The default has a name that others may know and take first; another may be root's own, as /tmp is.
    found = os.lstat(root) if is_default else os.stat(root)
    if found.st_uid not in ((os.geteuid(),) if is_default else (os.geteuid(), 0)):
        raise LifecycleError(f"{root!r} belongs to somebody else (uid {found.st_uid})")
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise LifecycleError(f"everybody may write to {root!r}: take that away with chmod o-w")
