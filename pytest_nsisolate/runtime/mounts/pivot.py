"""Entering the root file system: propagation, the bind on itself, ``pivot_root``."""

from __future__ import annotations

import errno
import os

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from .inroot import proc_path

PROPAGATION = {
    "": sys.MS_PRIVATE,
    "private": sys.MS_PRIVATE,
    "slave": sys.MS_SLAVE,
    "shared": sys.MS_SHARED,
    "unbindable": sys.MS_UNBINDABLE,
}
_STEP = "rootfs"


def propagation_flag(name: str) -> int:
    """Return the MS_ value for a rootfsPropagation, which may be spelled with a leading ``r``."""
    return PROPAGATION[name.removeprefix("r") if name != "" else name]


def hold_root(path: str) -> None:
    """Make *path* a mount point in the mount namespace that we are in, and the container will be.

    What the container mounts lies on it, and goes with it (:func:`release_root`).
    """
    try:
        sys.mount(path, path, flags=sys.MS_BIND | sys.MS_REC)
        sys.mount("", path, flags=sys.MS_PRIVATE)
    except KernelCallError as error:
        hint = ""
        if error.errno == errno.EPERM:
            hint = (
                "without a mount namespace that takes root: "
                'add {"type": "mount"} to linux.namespaces'
            )
        raise SetupError(_STEP, error.call, error.errno or 0, hint) from error


def release_root(path: str) -> None:
    """Let go of what :func:`hold_root` made, with all that is mounted below."""
    try:
        sys.umount2(path, sys.MNT_DETACH)
    except KernelCallError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise SetupError(_STEP, error.call, error.errno or 0) from error


def open_root(path: str) -> int:
    """Return an fd of a root that :func:`hold_root` has prepared."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def from_the_host(rootfs_propagation: str) -> int:
    """Return the MS_ value for what a container's mount namespace has from the host, 0 to leave it as it is.

    Where the root is to be shared, mounts go both ways between the host's shared mounts and what is bound
    of them, as with runc; else none goes to the host, and with a private root none comes from there.
    """
    flag = propagation_flag(rootfs_propagation)
    if flag == sys.MS_SHARED:
        return 0
    return sys.MS_PRIVATE if flag == sys.MS_PRIVATE else sys.MS_SLAVE


def prepare_root(path: str, propagation: int, *, own_namespace: bool = True) -> int:
    """Cut the mount namespace off the host, make *path* a mount point, and return an fd of it.

    *propagation* is that of :func:`from_the_host`. The order matters: the whole tree first, because a shared
    mount would carry ours to the host; so would what *path* lies on, which is private even where the tree
    stays shared; then the bind, because pivot_root wants a mount point. It is private whatever the plan says,
    because pivot_root refuses a shared one, and nothing below it is a peer of the host's. In a joined mount
    namespace the tree is somebody else's and stays as it is.
    """
    try:
        if own_namespace:
            if propagation:
                sys.mount("", "/", flags=sys.MS_REC | propagation)
            else:
                _make_parent_private(path)
        sys.mount(path, path, flags=sys.MS_BIND | sys.MS_REC)
        root_fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        sys.mount("", proc_path(root_fd), flags=sys.MS_SLAVE | sys.MS_REC)
        sys.mount("", proc_path(root_fd), flags=sys.MS_PRIVATE)
    except KernelCallError as error:
        raise SetupError(_STEP, error.call, error.errno or 0) from error
    except OSError as error:
        raise SetupError(_STEP, f"open {path!r}", error.errno or 0) from error
    return root_fd


def _make_parent_private(path: str) -> None:
    """Make the mount private that *path* is on."""
    place = os.path.realpath(path)
    while True:
        try:
            return sys.mount("", place, flags=sys.MS_PRIVATE)
        except KernelCallError as error:
            # EINVAL: not a mount point (mount(2)); the next one up is.
            if error.errno != errno.EINVAL or place == "/":
                raise
        place = os.path.dirname(place)


def enter(root_fd: int) -> None:
    """Make *root_fd* the root in a mount namespace that others live in.

    pivot_root(2) would move the root of all of them.
    """
    os.fchdir(root_fd)
    os.chroot(".")
    os.chdir("/")


def pivot(root_fd: int) -> None:
    """Make *root_fd* the root and let go of the old one.

    With ``pivot_root(".", ".")`` the old root lands on top of the new one and needs no directory
    there; it is unmounted before anything of the container can see it (pivot_root(2), NOTES).
    """
    # To name the old root afterwards: "." would be the new one, and lose its propagation below.
    old_root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fchdir(root_fd)
    try:
        sys.pivot_root(".", ".")
    except KernelCallError as error:
        hint = ""
        if error.errno == errno.EINVAL:
            hint = "the root of this mount namespace cannot be pivoted: an initramfs, or a chroot?"
        raise SetupError("pivot_root", error.call, error.errno or 0, hint) from error
    os.fchdir(old_root_fd)
    os.close(old_root_fd)
    sys.mount("", ".", flags=sys.MS_SLAVE | sys.MS_REC)
    sys.umount2(".", sys.MNT_DETACH)
    os.chdir("/")


def finish_root(*, readonly: bool, propagation: str) -> None:
    """Give the new root its final flags; called after the pivot."""
    if readonly:
        fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sys.mount_setattr(fd, "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, 0)
        finally:
            os.close(fd)
    if propagation_flag(propagation) != sys.MS_PRIVATE:
        recursive = sys.MS_REC if propagation.startswith("r") else 0
        sys.mount("", "/", flags=propagation_flag(propagation) | recursive)
