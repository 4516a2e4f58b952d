"""The mount type ``cgroup``: the caller's own cgroups, on v2, v1 and hybrid hosts."""

from __future__ import annotations

import errno
import os

from .. import syscalls as sys
from ..cgroups.locate import Hierarchy, hierarchies
from ..errors import KernelCallError
from .inroot import open_or_create, open_path, proc_path
from .mount import attach, propagate, set_bind_attributes
from .options import MountOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..plan import Mount

_HOST = "/sys/fs/cgroup"


def mount_cgroups(mount: Mount, options: MountOptions, root_fd: int) -> None:
    """Mount the cgroup hierarchies on *mount.destination*, from the caller's own cgroups on.

    A new mount begins at the root of the caller's cgroup namespace. Without a namespace of its own that is
    the host's, and where that is not allowed (in a user namespace), there is no new mount: then the
    caller's own directory is bound.
    """
    found = hierarchies()
    if os.path.exists(f"{_HOST}/cgroup.controllers"):
        target_fd = open_or_create(root_fd, mount.destination, directory=True)
        try:
            _mount_one(_hierarchy_at(_HOST, found), options, target_fd)
        finally:
            os.close(target_fd)
    else:
        _mount_v1(mount, options, root_fd, found)


def _hierarchy_at(mount_point: str, found: Sequence[Hierarchy]) -> Hierarchy:
    for hierarchy in found:
        if hierarchy.mount_point == mount_point:
            return hierarchy
    # Nobody's cgroups: a hierarchy that /proc/self/cgroup does not know.
    return Hierarchy(version=2, mount_point=mount_point, controllers=(), own="/")


def _mount_v1(
    mount: Mount, options: MountOptions, root_fd: int, found: Sequence[Hierarchy]
) -> None:
    target_fd = open_or_create(root_fd, mount.destination, directory=True)
    try:
        flags = options.flags & ~sys.MS_RDONLY
        sys.mount("tmpfs", proc_path(target_fd), "tmpfs", flags, "mode=755,size=1m")
    finally:
        os.close(target_fd)
    for name in sorted(os.listdir(_HOST)):
        source = f"{_HOST}/{name}"
        if os.path.islink(source):
            parent_fd = open_path(root_fd, mount.destination)
            os.symlink(os.readlink(source), name, dir_fd=parent_fd)
            os.close(parent_fd)
        elif os.path.ismount(source):
            target_fd = open_or_create(root_fd, f"{mount.destination}/{name}", directory=True)
            try:
                _mount_one(_hierarchy_at(source, found), options, target_fd)
            finally:
                os.close(target_fd)
    if options.flags & sys.MS_RDONLY:
        top_fd = open_path(root_fd, mount.destination)
        try:
            sys.mount("", proc_path(top_fd), "", sys.MS_REMOUNT | sys.MS_BIND | options.flags)
        finally:
            os.close(top_fd)


def _mount_one(hierarchy: Hierarchy, options: MountOptions, target_fd: int) -> None:
    if hierarchy.own == "/":
        fstype = "cgroup" if hierarchy.version == 1 else "cgroup2"
        data = ",".join(hierarchy.controllers) if hierarchy.version == 1 else ""
        try:
            sys.mount("cgroup", proc_path(target_fd), fstype, options.flags, data)
            return
        except KernelCallError as error:
            if error.errno not in (errno.EPERM, errno.EBUSY, errno.EINVAL):
                raise
    source = hierarchy.mount_point + hierarchy.own.rstrip("/")
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
    tree_fd = sys.open_tree(sys.AT_FDCWD, source, flags)
    try:
        set_bind_attributes(tree_fd, options)
        attach(tree_fd, target_fd)
        propagate(tree_fd, options)
    finally:
        os.close(tree_fd)
