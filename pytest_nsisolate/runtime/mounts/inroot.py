"""Paths inside a root file system that may be hostile.

Everything is resolved by ``openat2(2)`` with RESOLVE_IN_ROOT against a descriptor of the root, so that
neither an absolute symlink nor a ``..`` in the rootfs, nor one exchanged while we look, can lead a mount
or a file outside of it (CVE-2021-30465 and its kin).
"""

from __future__ import annotations

import errno
import os
import stat

from .. import syscalls as sys
from ..errors import KernelCallError

_RESOLVE = sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_MAGICLINKS
_MAX_SYMLINKS = 40

#: What opening a path fails with that is not there. EACCES: where init may not go, the less privileged
#: container process may not either.
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)


def open_path(root_fd: int, path: str) -> int:
    """Open an existing *path* below *root_fd* as O_PATH. The caller closes the fd."""
    return sys.openat2(root_fd, path.lstrip("/") or ".", os.O_PATH, _RESOLVE)


def open_or_create(root_fd: int, path: str, *, directory: bool) -> int:
    """Open *path* as :func:`open_path` does, and make what is missing.

    That is directories, and at the end, unless *directory*, an empty file. A dangling symlink is followed
    inside the root, and its target made.
    """
    try:
        return open_path(root_fd, path)
    except KernelCallError as error:
        if error.errno != errno.ENOENT:
            raise
    pending = [part for part in path.split("/") if part]
    done: list[str] = []
    links = 0
    while pending:
        name = pending.pop(0)
        here = "/".join((*done, name))
        if _exists(root_fd, here):
            done.append(name)
            continue
        parent_fd = open_path(root_fd, "/".join(done))
        try:
            target = _read_link(parent_fd, name)
            if target is None:
                _create(parent_fd, name, directory=directory or bool(pending))
                done.append(name)
                continue
        finally:
            os.close(parent_fd)
        links += 1
        if links > _MAX_SYMLINKS:
            raise KernelCallError(errno.ELOOP, f"resolve {path} in the rootfs")
        if target.startswith("/"):
            done.clear()
        pending = [part for part in target.split("/") if part] + pending
    return open_path(root_fd, "/".join(done))


def open_or_create_itself(root_fd: int, path: str, *, directory: bool) -> int:
    """Open *path* as :func:`open_or_create` does, but if it ends in a symlink, the symlink itself."""
    parent, _, name = path.rstrip("/").rpartition("/")
    parent_fd = open_or_create(root_fd, parent, directory=True)
    try:
        if _read_kind(parent_fd, name) is None:
            _create(parent_fd, name, directory=directory)
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)


def copy_symlink(root_fd: int, path: str, target: str) -> None:
    """Make *path* a symlink to *target*, or leave it if it is one."""
    parent, _, name = path.rstrip("/").rpartition("/")
    parent_fd = open_or_create(root_fd, parent, directory=True)
    try:
        os.symlink(target, name, dir_fd=parent_fd)
    except FileExistsError:
        if _read_kind(parent_fd, name) != stat.S_IFLNK or _read_link(parent_fd, name) != target:
            raise KernelCallError(errno.EEXIST, f"symlink {path} in the rootfs") from None
    except OSError as error:
        raise KernelCallError(error.errno or 0, f"symlink {path} in the rootfs") from error
    finally:
        os.close(parent_fd)


def _read_kind(parent_fd: int, name: str) -> int | None:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def _exists(root_fd: int, path: str) -> bool:
    try:
        os.close(open_path(root_fd, path))
    except KernelCallError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def _read_link(parent_fd: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent_fd)
    except FileNotFoundError:
        return None


def _create(parent_fd: int, name: str, *, directory: bool) -> None:
    # EEXIST: somebody was faster; what is there is looked at again, inside the root, by the caller.
    try:
        if directory:
            os.mkdir(name, 0o755, dir_fd=parent_fd)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(name, flags, 0o644, dir_fd=parent_fd))
    except FileExistsError:
        pass
    except OSError as error:
        raise KernelCallError(
            error.errno or 0, f"{'mkdir' if directory else 'create'} {name} in the rootfs"
        ) from None


def is_directory(fd: int) -> bool:
    """Tell whether *fd* is a directory."""
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def proc_path(fd: int) -> str:
    """Return a path for *fd* that calls which know only paths can use."""
    return f"/proc/self/fd/{fd}"
