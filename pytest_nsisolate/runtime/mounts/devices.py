"""Device nodes and links below ``/dev`` (config-linux.md, "Devices" and "Default Devices")."""

from __future__ import annotations

import errno
import os
import stat

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from ..namespaces import host_id
from ..plan import Device
from .inroot import open_or_create, open_path
from .mount import attach, set_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..plan import Mount, Plan

DEFAULT_DEVICES = (
    Device(type="c", path="/dev/null", major=1, minor=3),
    Device(type="c", path="/dev/zero", major=1, minor=5),
    Device(type="c", path="/dev/full", major=1, minor=7),
    Device(type="c", path="/dev/random", major=1, minor=8),
    Device(type="c", path="/dev/urandom", major=1, minor=9),
    Device(type="c", path="/dev/tty", major=5, minor=0),
)

#: runtime.md of the linux platform: "/dev symbolic links"
DEFAULT_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
)

_PTMX = os.makedev(5, 2)
_TYPES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def has_own_dev(plan: Plan) -> bool:
    """Tell whether ``/dev`` is the container's own; a ``/dev`` bound from the host is left alone."""
    binds = ("bind", "rbind")
    return not any(
        mount.destination.rstrip("/") == "/dev" and any(b in mount.options for b in binds)
        for mount in plan.mounts
    )


def writable_for_now(mount: Mount) -> Mount:
    """Return a read-only ``/dev`` of the container's own as writable, for the devices to be made in it."""
    if not _is_dev(mount) or "ro" not in mount.options:
        return mount
    return mount.replace(options=tuple(option for option in mount.options if option != "ro"))


def finish_dev(plan: Plan, root_fd: int) -> None:
    """Make ``/dev`` read-only if it was only writable for now."""
    if all(writable_for_now(mount) is mount for mount in plan.mounts):
        return
    fd = open_path(root_fd, "/dev")
    try:
        set_attributes(fd, sys.MOUNT_ATTR_RDONLY, 0)
    finally:
        os.close(fd)


def _is_dev(mount: Mount) -> bool:
    return mount.destination.rstrip("/") == "/dev" and mount.type == "tmpfs"


def make_outside(plan: Plan) -> dict[str, int]:
    """Make the plan's devices for a user namespace, which may make none; by path, fds of detached mounts.

    The calling process, which is in no user namespace of the plan's yet, gets a mount namespace for that.
    Where it may not, there are none: those of the host's are bound then.
    """
    made: dict[str, int] = {}
    try:
        sys.unshare(sys.CLONE_NEWNS)
        sys.mount("", "/", "", sys.MS_SLAVE | sys.MS_REC)
        place = plan.root.path
        sys.mount("tmpfs", place, "tmpfs", sys.MS_NOSUID | sys.MS_NOEXEC, "mode=0700")
    except KernelCallError:
        return made
    for number, device in enumerate(plan.devices):
        if device.type == "p" or _is_linked(device, plan):
            continue
        path = f"{place}/{number}"
        try:
            os.mknod(path, _TYPES[device.type] | device.file_mode, _number(device))
        except PermissionError:
            break
        uid, gid = (host_id(plan.uid_mappings, device.uid), host_id(plan.gid_mappings, device.gid))
        os.chown(path, uid, gid)
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC
        made[device.path] = sys.open_tree(sys.AT_FDCWD, path, flags)
    sys.umount2(place, sys.MNT_DETACH)
    return made


def create_devices(plan: Plan, root_fd: int, made: Mapping[str, int] | None = None) -> None:
    """Make the default devices, those of the plan, and the links; *made* are from :func:`make_outside`."""
    mounted = {mount.destination for mount in plan.mounts}
    defaults = [device for device in DEFAULT_DEVICES if device.path not in mounted]
    wanted = {device.path: device for device in (*defaults, *plan.devices)}
    for device in wanted.values():
        if _is_linked(device, plan):
            continue
        try:
            if made and device.path in made:
                _attach(made[device.path], device, root_fd)
            else:
                _create(device, root_fd)
        except OSError as error:
            call = error.call if isinstance(error, KernelCallError) else str(error)
            raise SetupError("linux.devices", f"{device.path}: {call}", error.errno or 0) from error
    for path, target in DEFAULT_LINKS:
        _link(path, target, plan, root_fd)


def _is_linked(device: Device, plan: Plan) -> bool:
    """Tell whether the device is the pty multiplexer, which is a link to the container's own."""
    is_ptmx = device.path == "/dev/ptmx" and device.type in "cu" and _number(device) == _PTMX
    return is_ptmx and _has_pts(plan)


def _create(device: Device, root_fd: int) -> None:
    directory, _, name = device.path.rpartition("/")
    parent_fd = open_or_create(root_fd, directory, directory=True)
    try:
        if _is_there(device, name, parent_fd):
            return
        try:
            # The umask is 0, so the mode is right from the start.
            mode = _TYPES[device.type] | device.file_mode
            os.mknod(name, mode, _number(device), dir_fd=parent_fd)
        except OSError as error:
            # A user namespace may not make device nodes, and an earlier container may have left a
            # mount point; the host's own device is bound instead.
            if error.errno not in (errno.EPERM, errno.EEXIST) or device.type == "p":
                raise
            _bind_from_host(device, root_fd)
        else:
            os.chown(name, device.uid, device.gid, dir_fd=parent_fd, follow_symlinks=False)
    finally:
        os.close(parent_fd)


def _number(device: Device) -> int:
    return 0 if device.type == "p" else os.makedev(device.major, device.minor)


def _is_there(device: Device, name: str, parent_fd: int) -> bool:
    try:
        found = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_IFMT(found.st_mode) == _TYPES[device.type] and found.st_rdev == _number(device):
        return True
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        return False  # a mount point that an earlier container left in this rootfs
    raise SetupError("linux.devices", f"{device.path} is already there, and something else")


def _bind_from_host(device: Device, root_fd: int) -> None:
    host_fd = os.open(device.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(host_fd).st_rdev != _number(device):
            raise SetupError("linux.devices", f"the host's {device.path} is another device")
        flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC | sys.AT_EMPTY_PATH
        tree_fd = sys.open_tree(host_fd, "", flags)
        try:
            set_attributes(tree_fd, sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NOEXEC, 0)
        except BaseException:
            os.close(tree_fd)
            raise
        _attach(tree_fd, device, root_fd)
    finally:
        os.close(host_fd)


def _attach(tree_fd: int, device: Device, root_fd: int) -> None:
    target_fd = open_or_create(root_fd, device.path, directory=False)
    try:
        attach(tree_fd, target_fd)
    finally:
        os.close(target_fd)
        os.close(tree_fd)


def _link(path: str, target: str, plan: Plan, root_fd: int) -> None:
    directory, _, name = path.rpartition("/")
    try:
        parent_fd = open_path(root_fd, directory)
    except KernelCallError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return  # the container has no such directory
        call = f"symlink {path} to {target}: {error.call}"
        raise SetupError("linux.devices", call, error.errno or 0) from error
    try:
        if name == "ptmx" and not _has_ptmx(plan, parent_fd):
            return
        os.symlink(target, name, dir_fd=parent_fd)
    except FileExistsError:
        pass
    except OSError as error:
        raise SetupError(
            "linux.devices", f"symlink {path} to {target}", error.errno or 0
        ) from error
    finally:
        os.close(parent_fd)


def _has_ptmx(plan: Plan, dev_fd: int) -> bool:
    # Where trees are copied, what the plan mounts there comes later.
    return _has_pts(plan) or os.access("pts/ptmx", os.F_OK, dir_fd=dev_fd)


def _has_pts(plan: Plan) -> bool:
    return any(mount.destination == "/dev/pts" for mount in plan.mounts)
