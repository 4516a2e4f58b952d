"""Masked and read-only paths (config-linux.md, "Masked Paths" and "Readonly Paths").

They are put on before ``pivot_root``, through descriptors of the new root: the null device of the host is
still at hand then, so that a rootfs with a replaced ``/dev/null`` cannot choose what covers a masked
path (CVE-2025-31133).
"""

from __future__ import annotations

import os
import stat

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from .inroot import ABSENT, is_directory, open_path, proc_path
from .mount import attach, set_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NULL_ATTRIBUTES = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NOEXEC


def mask(root_fd: int, paths: Iterable[str]) -> None:
    """Make each of *paths* read as empty; those that do not exist are skipped."""
    for path in paths:
        target_fd = _open_if_there(root_fd, path)
        if target_fd is None:
            continue
        try:
            if is_directory(target_fd):
                flags = sys.MS_RDONLY | sys.MS_NOSUID | sys.MS_NODEV | sys.MS_NOEXEC
                sys.mount("tmpfs", proc_path(target_fd), "tmpfs", flags, "size=0k")
            else:
                _cover_with_null(target_fd)
        except KernelCallError as error:
            raise SetupError("masks", f"mask {path}: {error.call}", error.errno or 0) from error
        finally:
            os.close(target_fd)


def make_readonly(root_fd: int, paths: Iterable[str]) -> None:
    """Make each of *paths* read-only, with all that is mounted below it."""
    for path in paths:
        target_fd = _open_if_there(root_fd, path)
        if target_fd is None:
            continue
        try:
            flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC
            tree_fd = sys.open_tree(target_fd, "", flags | sys.AT_EMPTY_PATH | sys.AT_RECURSIVE)
            try:
                set_attributes(tree_fd, sys.MOUNT_ATTR_RDONLY, 0, recursive=True)
                attach(tree_fd, target_fd)
            finally:
                os.close(tree_fd)
        except KernelCallError as error:
            raise SetupError(
                "masks", f"make {path} read-only: {error.call}", error.errno or 0
            ) from error
        finally:
            os.close(target_fd)


def _open_if_there(root_fd: int, path: str) -> int | None:
    try:
        return open_path(root_fd, path)
    except KernelCallError as error:
        if error.errno in ABSENT:
            return None
        raise SetupError("masks", error.call, error.errno or 0) from error


def _cover_with_null(target_fd: int) -> None:
    null_fd = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(null_fd)
        if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
            raise SetupError("masks", "the host's /dev/null is not the null device")
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_EMPTY_PATH
        tree_fd = sys.open_tree(null_fd, "", flags)
        try:
            set_attributes(tree_fd, _NULL_ATTRIBUTES, 0)
            attach(tree_fd, target_fd)
        finally:
            os.close(tree_fd)
    finally:
        os.close(null_fd)
