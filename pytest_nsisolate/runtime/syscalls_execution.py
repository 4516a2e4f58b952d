"""The calls that :mod:`.execution` makes; uses ctypes, and is imported only for that."""

from __future__ import annotations

import ctypes
import os

from .errors import KernelCallError

_X86_64 = os.uname().machine == "x86_64"
_SYS_SCHED_SETATTR = 314 if _X86_64 else 274
_SYS_IOPRIO_SET = 251 if _X86_64 else 30
_SYS_SET_MEMPOLICY = 238 if _X86_64 else 237
_IOPRIO_WHO_PROCESS = 1
_IOPRIO_CLASS_SHIFT = 13
#: The kernel's CONFIG_NODES_SHIFT is at most 10.
MOST_NODES = 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.personality.argtypes = [ctypes.c_ulong]


class _SchedAttr(ctypes.Structure):
    _fields_ = (
        ("size", ctypes.c_uint32),
        ("sched_policy", ctypes.c_uint32),
        ("sched_flags", ctypes.c_uint64),
        ("sched_nice", ctypes.c_int32),
        ("sched_priority", ctypes.c_uint32),
        ("sched_runtime", ctypes.c_uint64),
        ("sched_deadline", ctypes.c_uint64),
        ("sched_period", ctypes.c_uint64),
        # The flags SCHED_FLAG_UTIL_CLAMP_* need them; the spec has no values for them.
        ("sched_util_min", ctypes.c_uint32),
        ("sched_util_max", ctypes.c_uint32),
    )


def sched_setattr(
    policy: int, flags: int, nice: int, priority: int, times: tuple[int, int, int]
) -> None:
    """Set this thread's scheduling policy: sched_setattr(2). *times*: runtime, deadline, period."""
    size = ctypes.sizeof(_SchedAttr)
    attr = _SchedAttr(size, policy, flags, nice, priority, *times)
    call = _libc.syscall(
        ctypes.c_long(_SYS_SCHED_SETATTR), ctypes.c_int(0), ctypes.byref(attr), ctypes.c_uint(0)
    )
    if call < 0:
        raise KernelCallError(ctypes.get_errno(), f"sched_setattr(policy={policy})")


def ioprio_set(io_class: int, priority: int) -> None:
    """Set this process's I/O priority: ioprio_set(2)."""
    value = io_class << _IOPRIO_CLASS_SHIFT | priority
    result = _libc.syscall(
        ctypes.c_long(_SYS_IOPRIO_SET),
        ctypes.c_int(_IOPRIO_WHO_PROCESS),
        ctypes.c_int(0),
        ctypes.c_int(value),
    )
    if result < 0:
        raise KernelCallError(ctypes.get_errno(), f"ioprio_set(class={io_class}, {priority})")


def personality(persona: int) -> None:
    """Set the execution domain: personality(2)."""
    if _libc.personality(persona) < 0:
        raise KernelCallError(ctypes.get_errno(), f"personality({persona:#x})")


def set_mempolicy(mode: int, nodes: int) -> None:
    """Set this thread's memory policy; *nodes* is a bit mask: set_mempolicy(2)."""
    mask = (ctypes.c_uint64 * (MOST_NODES // 64))(
        *(nodes >> shift & 0xFFFFFFFFFFFFFFFF for shift in range(0, MOST_NODES, 64))
    )
    result = _libc.syscall(
        ctypes.c_long(_SYS_SET_MEMPOLICY),
        ctypes.c_int(mode),
        ctypes.byref(mask) if nodes else ctypes.c_void_p(),
        ctypes.c_ulong(MOST_NODES + 1 if nodes else 0),
    )
    if result < 0:
        raise KernelCallError(ctypes.get_errno(), f"set_mempolicy({mode:#x}, nodes={nodes:#x})")
