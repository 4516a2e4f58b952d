"""Entering the root file system without ``pivot_root``, for a root that it does not take (an initramfs).

The old root stays below the new one, out of sight. What was mounted there is taken away: as long as
the host's /proc is in the mount namespace, wherever it is hidden, the kernel lets a further user namespace
inside mount another one that is as bare, without the container's masks (mount_too_revealing() in the
kernel's fs/namespace.c).
"""

from __future__ import annotations

import os

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from ..record import Record
from .mountinfo import unescaped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_HINT = "without pivot_root, the host's /proc and /sys have to be taken away, or covered"


class _Mount(Record):
    """A line of mountinfo; *whole*: it shows all of a proc or sysfs."""

    id: str
    parent: str
    mount_point: str
    whole: bool


def move(root_fd: int) -> None:
    """Make *root_fd* the root. Raises SetupError."""
    old = _beside(root_fd)
    os.fchdir(root_fd)
    try:
        sys.mount(".", "/", flags=sys.MS_MOVE)
        # Paths still begin in the old root, which the new one has left.
        for mount in old:
            _take_away(mount)
    except KernelCallError as error:
        raise SetupError("rootfs", error.call, error.errno or 0, _HINT) from error
    os.chroot(".")
    os.chdir("/")


def _beside(root_fd: int) -> list[_Mount]:
    """Return the mounts that are not in the tree of *root_fd*, each before the one that it covers."""
    with open(f"/proc/self/fdinfo/{root_fd}", encoding="utf-8") as file:
        (ours,) = (line.split()[1] for line in file if line.startswith("mnt_id:"))
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mounts = {mount.id: mount for mount in map(_parse, file)}
    found = []
    for mount in mounts.values():
        chain = list(_ancestry(mount, mounts))
        if ours not in chain and mount.mount_point != "/":
            found.append((len(chain), mount))
    found.sort(key=lambda pair: -pair[0])
    return [mount for _depth, mount in found]


def _parse(line: str) -> _Mount:
    head, _dash, tail = line.partition(" - ")
    mount_id, parent, _device, root, mount_point = head.split()[:5]
    whole = root == "/" and tail.split()[0] in ("proc", "sysfs")
    return _Mount(id=mount_id, parent=parent, mount_point=unescaped(mount_point), whole=whole)


def _ancestry(mount: _Mount, mounts: dict[str, _Mount]) -> Iterable[str]:
    """Yield the ids of a mount and of all that it lies on."""
    while True:
        yield mount.id
        if mount.parent == mount.id or mount.parent not in mounts:
            return
        mount = mounts[mount.parent]


def _take_away(mount: _Mount) -> None:
    try:
        sys.umount2(mount.mount_point, sys.MNT_DETACH)
    except KernelCallError:
        # In a user namespace the host's mounts are locked (mount_namespaces(7)); what they show is not
        # more than their owner may see, but for these two.
        if mount.whole:
            sys.mount("tmpfs", mount.mount_point, "tmpfs", sys.MS_RDONLY, "size=0k")
