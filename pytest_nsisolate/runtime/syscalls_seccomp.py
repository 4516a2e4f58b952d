"""seccomp(2); uses ctypes, and is imported only by what has a filter to load."""

from __future__ import annotations

import ctypes
import errno
import os

from .errors import KernelCallError

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1 << 0
SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5

_SOL_SOCKET = 1
_SCM_RIGHTS = 1
_MSG_NOSIGNAL = 0x4000
_SYS_SECCOMP = {"x86_64": 317, "i686": 354}.get(os.uname().machine, 277)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class _Buffer(ctypes.Structure):  # struct iovec
    _fields_ = (("base", ctypes.c_char_p), ("len", ctypes.c_size_t))


class _Control(ctypes.Structure):  # struct cmsghdr, with one descriptor behind it
    _fields_ = (
        ("len", ctypes.c_size_t),
        ("level", ctypes.c_int),
        ("type", ctypes.c_int),
        ("fd", ctypes.c_int),
    )


class _Message(ctypes.Structure):  # struct mmsghdr, which begins with a struct msghdr
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_len", ctypes.c_uint),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.POINTER(_Control)),
        ("control_len", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


class DescriptorMessage:
    """A message for a socket that carries one descriptor; all but the descriptor is laid out beforehand."""

    def __init__(self, text: bytes) -> None:
        self._buffer = _Buffer(base=text, len=len(text))
        offset = _Control.fd.offset
        self._control = _Control(len=offset + 4, level=_SOL_SOCKET, type=_SCM_RIGHTS)
        self._message = _Message(
            buffers=ctypes.pointer(self._buffer),
            buffer_count=1,
            control=ctypes.pointer(self._control),
            control_len=ctypes.sizeof(_Control),
        )

    def sendmsg(self, socket_fd: int, fd: int) -> None:
        """Send it by sendmsg(2)."""
        self._control.fd = fd
        if _libc.sendmsg(socket_fd, ctypes.byref(self._message), _MSG_NOSIGNAL) < 0:
            raise KernelCallError(ctypes.get_errno(), "sendmsg")

    def sendmmsg(self, socket_fd: int, fd: int) -> None:
        """Send it by sendmmsg(2)."""
        self._control.fd = fd
        if _libc.sendmmsg(socket_fd, ctypes.byref(self._message), 1, _MSG_NOSIGNAL) < 0:
            raise KernelCallError(ctypes.get_errno(), "sendmmsg")


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


def seccomp_knows_flag(flag: int) -> bool:
    """Tell whether the kernel knows a flag of SECCOMP_SET_MODE_FILTER, by loading no filter with it."""
    if flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV:
        flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER
    _libc.syscall(
        ctypes.c_long(_SYS_SECCOMP),
        ctypes.c_uint(SECCOMP_SET_MODE_FILTER),
        ctypes.c_uint(flag),
        ctypes.c_void_p(),
    )
    # The flags are looked at before the filter, which is at no address.
    return ctypes.get_errno() == errno.EFAULT
