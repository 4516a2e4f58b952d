"""Mounts, made below a root that may be hostile.

Bind mounts are copied detached (open_tree), given their attributes, and only then attached, so that a
read-only bind is never writable for a moment. Other file systems go through mount(2), whose data string
every file system understands.
"""

from __future__ import annotations

import errno
import os
import stat

from .. import syscalls as sys
from ..errors import KernelCallError, SetupError
from . import options as mount_options
from .inroot import (
    copy_symlink,
    is_directory,
    open_or_create,
    open_or_create_itself,
    open_path,
    proc_path,
)
from .options import MountOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..plan import Mount, Plan


def perform(mount: Mount, root_fd: int, made_fd: int | None = None) -> None:
    """Make one mount of the plan below *root_fd*; *made_fd* is a bind that the launcher has made."""
    options = mount_options.parse(mount.options)
    try:
        if options.is_remount:
            remount(options, mount.destination, root_fd)
        elif options.is_bind:
            bind(mount.source, mount.destination, root_fd, options, made_fd)
        elif mount.type in ("cgroup", "cgroup2"):
            from .cgroup import mount_cgroups

            mount_cgroups(mount, options, root_fd)
        else:
            file_system(mount, options, root_fd)
    except KernelCallError as error:
        raise SetupError(
            "mounts", f"{describe(mount)}: {error.call}", error.errno or 0, _hint(mount, error)
        ) from error


def describe(mount: Mount) -> str:
    """Say what a mount is, as ``mount -t type -o options source destination`` would be typed."""
    kind = f" -t {mount.type}" if mount.type else ""
    options = f" -o {','.join(mount.options)}" if mount.options else ""
    return f"mount{kind}{options} {mount.source or 'none'} {mount.destination}"


def _hint(mount: Mount, error: KernelCallError) -> str:
    if error.errno == errno.ENOENT and error.call.startswith("open_tree"):
        return f"the source {mount.source!r} does not exist on the host"
    if error.errno == errno.ENODEV:
        return f"this kernel has no file system type {mount.type!r}"
    if error.errno == errno.EPERM and mount.type == "proc":
        return (
            "a fresh /proc needs a new pid namespace, and an unmasked /proc outside; in a container, "
            "run it with an unmasked /proc (docker --security-opt systempaths=unconfined, Kubernetes "
            "procMount: Unmasked)"
        )
    if error.errno == errno.EPERM and error.call.startswith("mount_setattr"):
        return (
            "in a user namespace, flags that the host put on the source cannot be taken away, and how it "
            "keeps access times cannot be changed"
        )
    if error.errno == errno.EINVAL and mount.type == "devpts":
        return "does the option gid= name a group that is mapped in this user namespace?"
    if mount.type == "overlay" and error.errno in (errno.EPERM, errno.EINVAL):
        return "is upperdir on a file system that can hold it, apart from lowerdir, kernel 5.11 or newer?"
    return ""


def access_times_of_the_host(plan: Plan) -> list[str]:
    """Return the destinations of binds that keep the host's access times, though others were asked for."""
    if not plan.creates("user") or os.geteuid() == 0:
        return []
    return [
        m.destination for m in plan.mounts if mount_options.parse(m.options).is_bind and _differs(m)
    ]


def _differs(mount: Mount) -> bool:
    attr_set, attr_clear = mount_options.attributes(mount_options.parse(mount.options))
    try:
        there = os.statvfs(mount.source).f_flag
    except OSError:
        return False  # the mount itself will say so
    no_dirs = bool(there & os.ST_NODIRATIME)
    if attr_set & sys.MOUNT_ATTR_NODIRATIME:
        no_dirs = not no_dirs
    elif not attr_clear & sys.MOUNT_ATTR_NODIRATIME:
        no_dirs = False
    flags = {sys.MOUNT_ATTR_RELATIME: os.ST_RELATIME, sys.MOUNT_ATTR_NOATIME: os.ST_NOATIME}
    wanted = flags.get(attr_set & sys.MOUNT_ATTR__ATIME, 0)
    files = there & (os.ST_RELATIME | os.ST_NOATIME) != wanted
    return no_dirs or (bool(attr_clear & sys.MOUNT_ATTR__ATIME) and files)


def bind(
    source: str, destination: str, root_fd: int, options: MountOptions, made_fd: int | None = None
) -> None:
    """Bind *source* (a host path, or an empty string's fd path) to *destination* in the root.

    *made_fd* is the mount itself, detached, if the launcher has made it (host_binds.py).
    """
    if "copy-symlink" in options.special and os.path.islink(source):
        copy_symlink(root_fd, destination, os.readlink(source))
        return
    tree_fd = open_bind(source, options) if made_fd is None else made_fd
    try:
        open_target = open_or_create
        if "dest-nofollow" in options.special:
            open_target = open_or_create_itself
        target_fd = open_target(root_fd, destination, directory=is_directory(tree_fd))
        try:
            attach(tree_fd, target_fd)
        finally:
            os.close(target_fd)
        propagate(tree_fd, options)
    finally:
        os.close(tree_fd)


def open_bind(source: str, options: MountOptions) -> int:
    """Return a detached copy of what is mounted at *source*, with the attributes of *options*."""
    flags = sys.OPEN_TREE_CLONE | sys.OPEN_TREE_CLOEXEC
    if options.flags & sys.MS_REC:
        flags |= sys.AT_RECURSIVE
    if "src-nofollow" in options.special:
        flags |= sys.AT_SYMLINK_NOFOLLOW
    tree_fd = sys.open_tree(sys.AT_FDCWD, source, flags)
    try:
        set_bind_attributes(tree_fd, options)
    except BaseException:
        os.close(tree_fd)
        raise
    return tree_fd


def attach(tree_fd: int, target_fd: int) -> None:
    """Attach a detached mount to what *target_fd* refers to."""
    flags = sys.MOVE_MOUNT_F_EMPTY_PATH | sys.MOVE_MOUNT_T_EMPTY_PATH
    sys.move_mount(tree_fd, "", target_fd, "", flags)


def set_bind_attributes(tree_fd: int, options: MountOptions) -> None:
    """Give a detached bind mount its own flags, then its tree the recursive ones."""
    attr_set, attr_clear = mount_options.attributes(options)
    if attr_set or attr_clear:
        try:
            set_attributes(tree_fd, attr_set, attr_clear)
        except KernelCallError as error:
            # How access times are kept is locked in a user namespace (mount_namespaces(7)), and the host's
            # to decide; the caller is warned of that (access_times_of_the_host).
            rest = attr_set & ~mount_options.ACCESS_TIMES, attr_clear & ~mount_options.ACCESS_TIMES
            if error.errno != errno.EPERM or rest == (attr_set, attr_clear):
                raise
            set_attributes(tree_fd, *rest)
    if options.recursive_set or options.recursive_clear:
        sys.mount_setattr(
            tree_fd,
            "",
            sys.AT_EMPTY_PATH | sys.AT_RECURSIVE,
            options.recursive_set,
            options.recursive_clear,
        )


def set_attributes(fd: int, attr_set: int, attr_clear: int, *, recursive: bool = False) -> None:
    """Change a mount's attributes; what is not named stays, so locked flags do no harm."""
    flags = sys.AT_EMPTY_PATH | (sys.AT_RECURSIVE if recursive else 0)
    sys.mount_setattr(fd, "", flags, attr_set, attr_clear)


def propagate(fd: int, options: MountOptions) -> None:
    """Set the propagation types that the options ask for, in their order."""
    for propagation in options.propagation:
        sys.mount("", proc_path(fd), flags=propagation)


def file_system(mount: Mount, options: MountOptions, root_fd: int) -> None:
    """Mount a file system of its own (not a bind) on *mount.destination*."""
    if mount.type in ("proc", "sysfs"):
        target_fd = _open_plain_directory(root_fd, mount)
    else:
        target_fd = open_or_create(root_fd, mount.destination, directory=True)
    try:
        data = _with_target_mode(mount, options, target_fd)
        if options.tmpcopyup:
            _mount_with_content(mount, options, data, root_fd)
        else:
            _mount_new(mount, options, data, target_fd)
    finally:
        os.close(target_fd)
    if options.propagation or options.recursive_set or options.recursive_clear:
        _finish(options, root_fd, mount.destination)


def _mount_new(mount: Mount, options: MountOptions, data: str, target_fd: int) -> None:
    try:
        source = mount.source or mount.type
        sys.mount(source, proc_path(target_fd), mount.type, options.flags, data)
    except KernelCallError as error:
        if mount.type != "sysfs" or error.errno != errno.EPERM:
            raise
        # A user namespace without a network namespace of its own: a new sysfs would show the host's network,
        # as the host's own does. What else is mounted on that gets the same flags.
        tree_fd = open_bind("/sys", options.replace(flags=sys.MS_BIND | sys.MS_REC))
        try:
            attr_set, _clear = mount_options.attributes(options)
            set_attributes(tree_fd, attr_set & ~mount_options.ACCESS_TIMES, 0, recursive=True)
            attach(tree_fd, target_fd)
        finally:
            os.close(tree_fd)


def _open_plain_directory(root_fd: int, mount: Mount) -> int:
    # CVE-2023-27561, CVE-2019-19921: a rootfs whose /proc or /sys is a symlink would have the masks
    # put on something else than what the container sees.
    try:
        return _open_without_symlinks(root_fd, mount)
    except KernelCallError as error:
        if error.errno != errno.ENOENT:
            raise
    os.close(open_or_create(root_fd, mount.destination, directory=True))
    return _open_without_symlinks(root_fd, mount)


def _open_without_symlinks(root_fd: int, mount: Mount) -> int:
    try:
        return sys.openat2(
            root_fd,
            mount.destination.lstrip("/") or ".",
            os.O_PATH,  # and no O_NOFOLLOW, with which the last one may be a symlink
            sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_SYMLINKS,
        )
    except KernelCallError as error:
        if error.errno == errno.ELOOP:
            found = f"{mount.destination} is, or lies behind, a symlink in the rootfs"
            call = f"{mount.type} must be mounted on ordinary directory: {found}"
            raise SetupError("mounts", call) from None
        raise


def _with_target_mode(mount: Mount, options: MountOptions, target_fd: int) -> str:
    # A tmpfs takes over the mode of the directory that it covers, as with runc.
    if mount.type != "tmpfs" or "mode=" in options.data:
        return options.data
    mode = stat.S_IMODE(os.fstat(target_fd).st_mode)
    return ",".join(filter(None, (options.data, f"mode={mode:o}")))


def _mount_with_content(mount: Mount, options: MountOptions, data: str, root_fd: int) -> None:
    if mount.type != "tmpfs":
        raise SetupError("mounts", f"{describe(mount)}: tmpcopyup is for tmpfs only")
    from .tmpcopyup import mount_with_content

    try:
        mount_with_content(mount.destination, options.flags, data, root_fd)
    except KernelCallError:
        raise
    except OSError as error:
        call = f"{describe(mount)}: copy {error.filename or 'the content'}"
        raise SetupError("mounts", call, error.errno or 0) from error


def remount(options: MountOptions, destination: str, root_fd: int) -> None:
    """Change the flags of what is mounted on *destination*.

    With ``bind`` they are those of the mount, otherwise of its file system.
    """
    fd = open_path(root_fd, destination)
    try:
        if options.is_bind:
            set_bind_attributes(fd, options)
        else:
            sys.mount("", proc_path(fd), "", options.flags, options.data)
        propagate(fd, options)
    finally:
        os.close(fd)


def _finish(options: MountOptions, root_fd: int, destination: str) -> None:
    fd = open_path(root_fd, destination)
    try:
        propagate(fd, options)
        if options.recursive_set or options.recursive_clear:
            set_attributes(fd, options.recursive_set, options.recursive_clear, recursive=True)
    finally:
        os.close(fd)
