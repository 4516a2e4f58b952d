"""``tmpcopyup``: a tmpfs that starts with the content of the directory that it covers."""

from __future__ import annotations

import os
import shutil

from . import syscalls as sys
from .inroot import proc_path
from .mount_options import MountOptions


def mount_with_content(options: MountOptions, data: str, target_fd: int) -> None:
    """Mount a tmpfs on *target_fd*, copy what was there into it, then make it as read-only as asked.

    The fd goes on meaning the covered directory, which is how its content can still be read.
    """
    target = proc_path(target_fd)
    covered = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=target_fd)
    try:
        sys.mount("tmpfs", target, "tmpfs", options.flags & ~sys.MS_RDONLY, data)
        # Through its path the same place now is the new tmpfs.
        top = os.readlink(target)
        shutil.copytree(proc_path(covered), top, symlinks=True, dirs_exist_ok=True)
        if options.flags & sys.MS_RDONLY:
            sys.mount("", top, "", sys.MS_REMOUNT | options.flags, data)
    finally:
        os.close(covered)
