"""The kernel's interface.

Every wrapper has the call's own name and raises :class:`KernelCallError`, which carries the call as
written. All symbols are resolved when the module is imported, so that a child never resolves one.
Numbers are those of x86_64 and of the generic table; calls from 424 on have one number everywhere.
"""

from __future__ import annotations

import errno
import os

from . import libc
from .errors import KernelCallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_I_VERSION = 0x800000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000

MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_RELATIME = 0x0
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_IN_ROOT = 0x10

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_CLEAR_ALL = 4

_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_SYS_OPEN_TREE = 428
_SYS_MOVE_MOUNT = 429
_SYS_CLOSE_RANGE = 436
_SYS_OPENAT2 = 437
_SYS_MOUNT_SETATTR = 442

_libc = libc.CDLL(None, use_errno=True)
_int, _long, _ulong, _path = libc.c_int, libc.c_long, libc.c_ulong, libc.c_char_p
_pointer = libc.c_void_p

_libc.unshare.argtypes = [_int]
_libc.setns.argtypes = [_int, _int]
_libc.mount.argtypes = [_path, _path, _path, _ulong, _path]
_libc.umount2.argtypes = [_path, _int]
_libc.sethostname.argtypes = [_path, libc.c_size_t]
_libc.setdomainname.argtypes = [_path, libc.c_size_t]
_libc.prctl.argtypes = [_int, _ulong, _ulong, _ulong, _ulong]
_libc.capset.argtypes = [_pointer, _pointer]
_libc.capget.argtypes = [_pointer, _pointer]
_libc.syscall.restype = _long


class _OpenHow(libc.Structure):
    _fields_ = (
        ("flags", libc.c_uint64),
        ("mode", libc.c_uint64),
        ("resolve", libc.c_uint64),
    )


class _MountAttr(libc.Structure):
    _fields_ = (
        ("attr_set", libc.c_uint64),
        ("attr_clr", libc.c_uint64),
        ("propagation", libc.c_uint64),
        ("userns_fd", libc.c_uint64),
    )


class _CapHeader(libc.Structure):
    _fields_ = (("version", libc.c_uint32), ("pid", _int))


class _CapData(libc.Structure):
    _fields_ = (
        ("effective", libc.c_uint32),
        ("permitted", libc.c_uint32),
        ("inheritable", libc.c_uint32),
    )


_CLOSE_RANGE_CLOEXEC = 4
_CAPABILITY_VERSION_3 = 0x20080522

_CLONE_NAMES = tuple((v, k) for k, v in sorted(globals().items()) if k.startswith("CLONE_NEW"))
_MS_NAMES = tuple((v, k) for k, v in sorted(globals().items()) if k.startswith("MS_"))
_ATTR_NAMES = tuple(
    (v, k)
    for k, v in sorted(globals().items())
    if k.startswith("MOUNT_ATTR_") and k not in ("MOUNT_ATTR__ATIME", "MOUNT_ATTR_RELATIME")
)


def _fail(call: str) -> NoReturn:
    raise KernelCallError(libc.get_errno(), call)


def _names(value: int, table: Iterable[tuple[int, str]]) -> str:
    return "|".join(name for bit, name in table if value & bit == bit) or "0"


def mount_flag_names(flags: int) -> str:
    """Return ``MS_BIND|MS_REC`` for a number."""
    return _names(flags, _MS_NAMES)


def clone_flag_names(flags: int) -> str:
    """Return ``CLONE_NEWNS|CLONE_NEWUTS`` for a number."""
    return _names(flags, _CLONE_NAMES)


def unshare(flags: int) -> None:
    """Leave the namespaces in *flags* for new ones: unshare(2)."""
    if _libc.unshare(flags) < 0:
        _fail(f"unshare({clone_flag_names(flags)})")


def setns(fd: int, flags: int) -> None:
    """Join the namespace, or those of the pidfd, behind *fd*: setns(2)."""
    if _libc.setns(fd, flags) < 0:
        _fail(f"setns({clone_flag_names(flags)})")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """Mount: mount(2). Empty strings are passed as NULL."""
    result = _libc.mount(
        os.fsencode(source) if source else None,
        os.fsencode(target),
        fstype.encode() if fstype else None,
        flags,
        os.fsencode(data) if data else None,
    )
    if result < 0:
        what = " ".join(filter(None, (fstype, source))) or "(none)"
        detail = mount_flag_names(flags) + (f", {data!r}" if data else "")
        _fail(f"mount {what} on {target} ({detail})")


def umount2(target: str, flags: int = 0) -> None:
    """Unmount: umount2(2)."""
    if _libc.umount2(os.fsencode(target), flags) < 0:
        _fail(f"umount2 {target} ({'MNT_DETACH' if flags & MNT_DETACH else flags})")


def pivot_root(new_root: str, put_old: str) -> None:
    """Change the root mount: pivot_root(2)."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise KernelCallError(errno.ENOSYS, f"pivot_root on {os.uname().machine}")
    if _libc.syscall(_long(number), _path(os.fsencode(new_root)), _path(os.fsencode(put_old))) < 0:
        _fail(f"pivot_root({new_root!r}, {put_old!r})")


def open_tree(dirfd: int, path: str, flags: int) -> int:
    """Open, or with OPEN_TREE_CLONE copy, a mount (tree): open_tree(2). Returns an fd."""
    fd = _libc.syscall(
        _long(_SYS_OPEN_TREE), _int(dirfd), _path(os.fsencode(path)), libc.c_uint(flags)
    )
    if fd < 0:
        _fail(f"open_tree {path or f'fd {dirfd}'}")
    return int(fd)


def move_mount(from_fd: int, from_path: str, to_fd: int, to_path: str, flags: int) -> None:
    """Attach a mount elsewhere: move_mount(2)."""
    result = _libc.syscall(
        _long(_SYS_MOVE_MOUNT),
        _int(from_fd),
        _path(os.fsencode(from_path)),
        _int(to_fd),
        _path(os.fsencode(to_path)),
        libc.c_uint(flags),
    )
    if result < 0:
        _fail(f"move_mount to {to_path or f'fd {to_fd}'}")


def mount_setattr(
    dirfd: int,
    path: str,
    flags: int,
    attr_set: int,
    attr_clr: int,
    userns_fd: int = 0,
    propagation: int = 0,
) -> None:
    """Change the attributes of a mount, or with AT_RECURSIVE of a tree: mount_setattr(2)."""
    attr = _MountAttr(attr_set, attr_clr, propagation, userns_fd)
    result = _libc.syscall(
        _long(_SYS_MOUNT_SETATTR),
        _int(dirfd),
        _path(os.fsencode(path)),
        libc.c_uint(flags),
        libc.byref(attr),
        libc.c_size_t(libc.sizeof(attr)),
    )
    if result < 0:
        change = f"set {_names(attr_set, _ATTR_NAMES)}, clear {_names(attr_clr, _ATTR_NAMES)}"
        recursive = ", AT_RECURSIVE" if flags & AT_RECURSIVE else ""
        _fail(f"mount_setattr {path or f'fd {dirfd}'} ({change}{recursive})")


def openat2(dirfd: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """Open *path* under the resolution rules *resolve*: openat2(2). The fd is close-on-exec."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    while True:
        fd = _libc.syscall(
            _long(_SYS_OPENAT2),
            _int(dirfd),
            _path(os.fsencode(path)),
            libc.byref(how),
            libc.c_size_t(libc.sizeof(how)),
        )
        if fd >= 0:
            return int(fd)
        # EAGAIN: the tree was renamed in mid-resolution; openat2(2) says to try again.
        if libc.get_errno() not in (errno.EAGAIN, errno.EINTR):
            _fail(f"openat2 {path}")


def sethostname(name: str) -> None:
    """Set the UTS namespace's host name: sethostname(2)."""
    encoded = name.encode()
    if _libc.sethostname(encoded, len(encoded)) < 0:
        _fail(f"sethostname({name!r})")


def setdomainname(name: str) -> None:
    """Set the UTS namespace's NIS domain name: setdomainname(2)."""
    encoded = name.encode()
    if _libc.setdomainname(encoded, len(encoded)) < 0:
        _fail(f"setdomainname({name!r})")


def prctl(option: int, arg2: int = 0, arg3: int = 0, *, name: str) -> int:
    """Operate on this process: prctl(2). *name* is the call as an error should show it."""
    result = _libc.prctl(option, arg2, arg3, 0, 0)
    if result < 0:
        _fail(f"prctl({name})")
    return int(result)


def capability_is_bounded(number: int) -> bool:
    """Tell whether the capability is in the bounding set: PR_CAPBSET_READ."""
    # These three are called in series: the text for an error is made only if there is one.
    result = _libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0)
    if result < 0:
        _fail(f"prctl(PR_CAPBSET_READ, {number})")
    return bool(result)


def drop_bounding_capability(number: int) -> None:
    """Take the capability from the bounding set: PR_CAPBSET_DROP."""
    if _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
        _fail(f"prctl(PR_CAPBSET_DROP, {number})")


def raise_ambient_capability(number: int) -> None:
    """Add the capability to the ambient set: PR_CAP_AMBIENT_RAISE."""
    if _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0:
        _fail(f"prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {number})")


def set_process_name(name: str) -> None:
    """Set what ``ps -o comm`` shows (15 bytes at most): PR_SET_NAME."""
    buffer = (libc.c_char * 16)()
    buffer.value = name.encode()[:15]
    prctl(PR_SET_NAME, libc.addressof(buffer), name="PR_SET_NAME")


def capset(*, effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's three capability sets, as bit masks: capset(2)."""
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)(
        *(
            _CapData(
                effective >> shift & 0xFFFFFFFF,
                permitted >> shift & 0xFFFFFFFF,
                inheritable >> shift & 0xFFFFFFFF,
            )
            for shift in (0, 32)
        )
    )
    if _libc.capset(libc.byref(header), libc.byref(data)) < 0:
        _fail(f"capset(permitted={permitted:#x})")


def capget() -> tuple[int, int, int]:
    """Return this thread's effective, permitted and inheritable sets, as bit masks: capget(2)."""
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    if _libc.capget(libc.byref(header), libc.byref(data)) < 0:
        _fail("capget")
    low, high = data
    return (
        low.effective | high.effective << 32,
        low.permitted | high.permitted << 32,
        low.inheritable | high.inheritable << 32,
    )


def close_range_on_exec(first: int) -> None:
    """Mark every fd from *first* on close-on-exec: close_range(2), CLOSE_RANGE_CLOEXEC."""
    if (
        _libc.syscall(
            _long(_SYS_CLOSE_RANGE),
            libc.c_uint(first),
            libc.c_uint(0xFFFFFFFF),
            libc.c_uint(_CLOSE_RANGE_CLOEXEC),
        )
        < 0
    ):
        _fail(f"close_range({first}, ~0, CLOSE_RANGE_CLOEXEC)")
