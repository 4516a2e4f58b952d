"""seccomp(2); uses ctypes, and is imported only by what has a filter to load."""

from __future__ import annotations

import ctypes
import os

from .errors import KernelCallError

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1 << 0
SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5

_SYS_SECCOMP = {"x86_64": 317, "i686": 354}.get(os.uname().machine, 277)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def seccomp_set_mode_filter(flags: int, code: bytes) -> int:
    """Load a filter; returns the listener's fd with SECCOMP_FILTER_FLAG_NEW_LISTENER, otherwise 0."""
    instructions = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(instructions))
    result = _libc.syscall(
        ctypes.c_long(_SYS_SECCOMP),
        ctypes.c_uint(SECCOMP_SET_MODE_FILTER),
        ctypes.c_uint(flags),
        ctypes.byref(program),
    )
    if result < 0:
        call = f"seccomp(SECCOMP_SET_MODE_FILTER, {flags:#x})"
        raise KernelCallError(ctypes.get_errno(), call)
    return int(result)
