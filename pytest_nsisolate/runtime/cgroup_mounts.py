"""The mount type ``cgroup``: the caller's own cgroups, on v2, v1 and hybrid hosts."""

from __future__ import annotations

import errno
import os

from . import syscalls as sys
from .errors import KernelCallError
from .inroot import open_or_create, open_path, proc_path
from .mount_options import MountOptions
from .mounts import attach, propagate, set_bind_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import Mount

_HOST = "/sys/fs/cgroup"


def mount_cgroups(mount: Mount, options: MountOptions, root_fd: int) -> None:
    """Mount the cgroup hierarchies on *mount.destination*.

    Where a new mount is refused (a user namespace without a cgroup namespace of its own), the
    host's is bound instead, read-only if asked; that shows no more than the host's /sys does.
    """
    if os.path.exists(f"{_HOST}/cgroup.controllers"):
        target_fd = open_or_create(root_fd, mount.destination, directory=True)
        try:
            _mount_one("cgroup2", "", _HOST, options, target_fd)
        finally:
            os.close(target_fd)
    else:
        _mount_v1(mount, options, root_fd)


def _mount_v1(mount: Mount, options: MountOptions, root_fd: int) -> None:
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
                if name == "unified":
                    _mount_one("cgroup2", "", source, options, target_fd)
                else:
                    data = "name=systemd" if name == "systemd" else name
                    _mount_one("cgroup", data, source, options, target_fd)
            finally:
                os.close(target_fd)
    if options.flags & sys.MS_RDONLY:
        top_fd = open_path(root_fd, mount.destination)
        try:
            sys.mount("", proc_path(top_fd), "", sys.MS_REMOUNT | sys.MS_BIND | options.flags)
        finally:
            os.close(top_fd)


def _mount_one(fstype: str, data: str, host: str, options: MountOptions, target_fd: int) -> None:
    try:
        sys.mount("cgroup", proc_path(target_fd), fstype, options.flags, data)
    except KernelCallError as error:
        if error.errno not in (errno.EPERM, errno.EBUSY, errno.EINVAL):
            raise
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_RECURSIVE
        tree_fd = sys.open_tree(sys.AT_FDCWD, host, flags)
        try:
            set_bind_attributes(tree_fd, options)
            attach(tree_fd, target_fd)
            propagate(tree_fd, options)
        finally:
            os.close(tree_fd)
