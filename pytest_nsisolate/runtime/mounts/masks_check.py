"""Whether the masks are where they have to be: on what the container has for /proc and /sys.

Others may write to the rootfs while we mount, another container with the same one, say. They cannot lead us
out of it, but they can rename: then /proc is another directory by the time that its masks are put on, and
the proc that was mounted has none (CVE-2023-27561 and its kin). What is right once stays so: masks move with
what they are on.
"""

from __future__ import annotations

import errno
import os

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from ..syscalls_files import PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs_type
from .inroot import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Plan

_MAGIC = {"proc": PROC_SUPER_MAGIC, "sysfs": SYSFS_MAGIC}
_HINT = "somebody else changes the rootfs at the same time"


def check(plan: Plan, root_fd: int) -> None:
    """Raise SetupError unless each proc and sysfs of the plan is in its place, with its masks on."""
    places = [os.path.normpath(mount.destination) for mount in plan.mounts]
    for number, mount in enumerate(plan.mounts):
        place = places[number]
        if mount.type in _MAGIC and not any(
            _covers(later, place) for later in places[number + 1 :]
        ):
            _check_one(plan, place, mount.type, root_fd)


def _covers(later: str, place: str) -> bool:
    return (place + "/").startswith(later.rstrip("/") + "/")


def _check_one(plan: Plan, place: str, kind: str, root_fd: int) -> None:
    fd = _open(root_fd, place, sys.RESOLVE_NO_SYMLINKS)
    if fd is None:
        raise SetupError("masks", f"{place} is not there any more", 0, _HINT)
    try:
        if fstatfs_type(fd) != _MAGIC[kind]:
            raise SetupError("masks", f"{place} is not what was mounted there", 0, _HINT)
        device = os.fstat(fd).st_dev
        for path in plan.masked_paths:
            if (found := _look_at(fd, place, path)) and found[0] == device:
                raise SetupError("masks", f"{path} is not masked", 0, _HINT)
        for path in plan.readonly_paths:
            if (found := _look_at(fd, place, path)) and not found[1] & os.ST_RDONLY:
                raise SetupError("masks", f"{path} is not read-only", 0, _HINT)
    finally:
        os.close(fd)


def _look_at(place_fd: int, place: str, path: str) -> tuple[int, int] | None:
    """Return the device and the mount flags of *path*, if it is below *place* and there."""
    below = os.path.normpath(path)
    if below == place or not _covers(place, below):
        return None
    fd = _open(place_fd, below[len(place) :].lstrip("/"), sys.RESOLVE_NO_MAGICLINKS)
    if fd is None:
        return None
    try:
        return os.fstat(fd).st_dev, os.fstatvfs(fd).f_flag
    finally:
        os.close(fd)


def _open(directory_fd: int, path: str, resolve: int) -> int | None:
    try:
        path = path.lstrip("/") or "."
        return sys.openat2(directory_fd, path, os.O_PATH, sys.RESOLVE_IN_ROOT | resolve)
    except KernelCallError as error:
        if error.errno in (*ABSENT, errno.ELOOP):
            return None
        raise SetupError("masks", error.call, error.errno or 0) from error
