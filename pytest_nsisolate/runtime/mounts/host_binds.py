"""Bind mounts that the launcher makes, detached, with its own rights; init only attaches them.

Those with mapped ids, whose files seem to belong to others (mount_setattr(2)); and, where root starts a
container with a user namespace, all: who is root inside may not be able to reach what is bound.
"""

from __future__ import annotations

import _signal
import errno
import os

from .. import namespaces
from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from . import options as mount_options
from .mount import describe, open_bind
from .pivot import from_the_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..plan import IdMapping, Mount, Plan

_STEP = "mounts"


def make(plan: Plan) -> dict[int, int]:
    """Return fds of the mounts that the launcher makes, by their places in the plan."""
    reaches_more = plan.creates("user") and os.geteuid() == 0
    made: dict[int, int] = {}
    try:
        for i, mount in enumerate(plan.mounts):
            options = mount_options.parse(mount.options)
            if mount.uid_mappings or options.is_id_mapped:
                uids = mount.uid_mappings or plan.uid_mappings
                gids = mount.gid_mappings or plan.gid_mappings
                made[i] = map_one(mount, uids, gids)
            elif options.is_bind and not options.is_remount and reaches_more:
                try:
                    made[i] = open_bind(mount.source, options)
                except KernelCallError:
                    continue  # init tries again, and says what is wrong
            else:
                continue
            if flag := from_the_host(plan.rootfs_propagation):
                _propagate(made[i], flag)
    except BaseException:
        for fd in made.values():
            os.close(fd)
        raise
    return made


def _propagate(tree_fd: int, propagation: int) -> None:
    flags = sys.AT_EMPTY_PATH | sys.AT_RECURSIVE
    sys.mount_setattr(tree_fd, "", flags, 0, 0, propagation=propagation)


def map_one(mount: Mount, uids: tuple[IdMapping, ...], gids: tuple[IdMapping, ...]) -> int:
    """Return the detached mount of a bind whose ids are mapped. Raises SetupError."""
    options = mount_options.parse(mount.options)
    flags = sys.AT_EMPTY_PATH | (sys.AT_RECURSIVE if "ridmap" in options.special else 0)
    userns_fd = _user_namespace(uids, gids)
    try:
        tree_fd = open_bind(mount.source, options)
        try:
            sys.mount_setattr(tree_fd, "", flags, sys.MOUNT_ATTR_IDMAP, 0, userns_fd)
        except BaseException:
            os.close(tree_fd)
            raise
    except KernelCallError as error:
        hint = ""
        if error.errno == errno.EPERM:
            hint = "mapping the ids of a mount needs CAP_SYS_ADMIN over its file system: real root"
        elif error.errno == errno.EINVAL:
            hint = "this file system, or this kernel, cannot map ids"
        call = f"{describe(mount)}: {error.call}"
        raise SetupError(_STEP, call, error.errno or 0, hint) from error
    finally:
        os.close(userns_fd)
    return tree_fd


def _user_namespace(uids: tuple[IdMapping, ...], gids: tuple[IdMapping, ...]) -> int:
    """Return an fd of a user namespace with these maps, of which the kernel takes no more than them."""
    ready_read, ready_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _hold_user_namespace(ready_write)
    os.close(ready_write)
    try:
        number = os.read(ready_read, 16)
        if number != b"0":
            raise SetupError(
                _STEP, "unshare(CLONE_NEWUSER) for an id-mapped mount", int(number or 0)
            )
        namespaces.write_id_maps(pid, uids, gids)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_read)
        os.kill(pid, _signal.SIGKILL)
        os.waitpid(pid, 0)


def _hold_user_namespace(ready_fd: int) -> NoReturn:
    number = 0
    try:
        sys.prctl(sys.PR_SET_PDEATHSIG, _signal.SIGKILL, name="PR_SET_PDEATHSIG, SIGKILL")
        sys.unshare(sys.CLONE_NEWUSER)
    except OSError as error:
        number = error.errno or 0
    os.write(ready_fd, str(number).encode())
    while True:
        _signal.pause()
