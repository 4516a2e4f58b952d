"""What kind of file system a descriptor is in, beside :mod:`.syscalls`."""

from __future__ import annotations

from .libc import c_char, c_int, c_void_p
from .syscalls import _fail, _libc

PROC_SUPER_MAGIC = 0x9FA0
SYSFS_MAGIC = 0x62656572

#: More than a struct statfs takes on any machine.
_SIZE = 256

_libc.fstatfs.argtypes = [c_int, c_void_p]


def fstatfs_type(fd: int) -> int:
    """Return the type of the file system of *fd*, which may be O_PATH: fstatfs(2), ``f_type``."""
    buffer = (c_char * _SIZE)()
    if _libc.fstatfs(fd, buffer) < 0:
        _fail(f"fstatfs fd {fd}")
    return int.from_bytes(buffer.raw[:4], "little")
