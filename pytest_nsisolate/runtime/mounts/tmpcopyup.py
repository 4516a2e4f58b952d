"""``tmpcopyup``: a tmpfs that starts with the content of the directory that it covers.

Everything goes through descriptors and names without a slash, so that nothing in a hostile rootfs can lead
the copy elsewhere; ``shutil`` would go by path, and lose the owners.
"""

from __future__ import annotations

import errno
import os
import stat

from .. import syscalls as sys
from .inroot import open_path, proc_path

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def mount_with_content(destination: str, flags: int, data: str, root_fd: int) -> None:
    """Mount a tmpfs on *destination*, copy what was there into it, then make it as read-only as asked."""
    target_fd = open_path(root_fd, destination)
    try:
        # Opened before the mount, this goes on meaning the covered directory.
        covered_fd = os.open(".", _DIRECTORY, dir_fd=target_fd)
        try:
            sys.mount("tmpfs", proc_path(target_fd), "tmpfs", flags & ~sys.MS_RDONLY, data)
            _fill(covered_fd, destination, root_fd)
            if flags & sys.MS_RDONLY:
                _make_readonly(destination, flags, data, root_fd)
        finally:
            os.close(covered_fd)
    finally:
        os.close(target_fd)


def _fill(covered_fd: int, destination: str, root_fd: int) -> None:
    path_fd = open_path(root_fd, destination)
    try:
        top_fd = os.open(".", _DIRECTORY, dir_fd=path_fd)
        try:
            copy_directory(covered_fd, top_fd)
        finally:
            os.close(top_fd)
    finally:
        os.close(path_fd)


def _make_readonly(destination: str, flags: int, data: str, root_fd: int) -> None:
    fd = open_path(root_fd, destination)
    try:
        sys.mount("", proc_path(fd), "", sys.MS_REMOUNT | flags, data)
    finally:
        os.close(fd)


def copy_directory(from_fd: int, to_fd: int) -> None:
    """Copy what is in one directory into another, with owners, modes and times."""
    for name in os.listdir(from_fd):
        found = os.stat(name, dir_fd=from_fd, follow_symlinks=False)
        _copy_entry(name, found, from_fd, to_fd)
    _copy_attributes(os.fstat(from_fd), to_fd)


def _copy_entry(name: str, found: os.stat_result, from_fd: int, to_fd: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        os.mkdir(name, 0o700, dir_fd=to_fd)
        _copy_opened(name, _DIRECTORY, _DIRECTORY, from_fd, to_fd)
    elif stat.S_ISREG(found.st_mode):
        _copy_opened(name, _READ, _WRITE, from_fd, to_fd)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=from_fd), name, dir_fd=to_fd)
        _copy_owner(found, name, to_fd)
    else:
        os.mknod(name, found.st_mode, found.st_rdev, dir_fd=to_fd)
        _copy_owner(found, name, to_fd)


def _copy_opened(name: str, read: int, write: int, from_fd: int, to_fd: int) -> None:
    source = os.open(name, read, dir_fd=from_fd)
    try:
        target = os.open(name, write, 0o600, dir_fd=to_fd)
        try:
            if read == _DIRECTORY:
                copy_directory(source, target)
            else:
                _copy_file(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _copy_file(source: int, target: int) -> None:
    while data := os.read(source, _CHUNK):
        while data:
            data = data[os.write(target, data) :]
    _copy_attributes(os.fstat(source), target)


def _copy_attributes(found: os.stat_result, fd: int) -> None:
    # The owner first: chown(2) takes set-user-ID bits away.
    _copy_owner(found, fd)
    os.chmod(fd, stat.S_IMODE(found.st_mode))
    os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_owner(found: os.stat_result, what: int | str, dir_fd: int | None = None) -> None:
    try:
        if isinstance(what, int):
            os.chown(what, found.st_uid, found.st_gid)
        else:
            os.chown(what, found.st_uid, found.st_gid, dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        # EINVAL: an id that is not mapped here; what nobody inside can be, nobody inside can own.
        if error.errno != errno.EINVAL:
            raise
