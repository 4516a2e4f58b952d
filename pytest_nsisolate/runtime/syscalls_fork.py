"""Forking into a cgroup, beside :mod:`.syscalls`."""

from __future__ import annotations

from .errors import KernelCallError
from .libc import PyDLL, Structure, byref, c_long, c_size_t, c_uint64, get_errno, sizeof

_SYS_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = 17

# The interpreter's lock stays held, as in os.fork(): the child has no other thread that could give it back.
_held = PyDLL(None, use_errno=True)
_held.syscall.restype = c_long


class _CloneArgs(Structure):
    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    )


def fork_into_cgroup(directory_fd: int) -> int:
    """Fork as os.fork(); the child is in the cgroup of v2 whose directory is open: clone3(2)."""
    args = _CloneArgs(flags=_CLONE_INTO_CGROUP, exit_signal=_SIGCHLD, cgroup=directory_fd)
    size = c_size_t(sizeof(args))
    number, pointer = c_long(_SYS_CLONE3), byref(args)
    _held.PyOS_BeforeFork()
    pid = int(_held.syscall(number, pointer, size))
    if pid == 0:
        _held.PyOS_AfterFork_Child()
        return 0
    reason = get_errno()
    _held.PyOS_AfterFork_Parent()
    if pid < 0:
        raise KernelCallError(reason, "clone3(CLONE_INTO_CGROUP)")
    return pid
