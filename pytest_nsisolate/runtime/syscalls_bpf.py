"""bpf(2), for the device programs of cgroup v2; the second file that uses ctypes, imported for that only."""

from __future__ import annotations

import ctypes
import os

from .errors import KernelCallError

_SYS_BPF = {"x86_64": 321}
_SYS_BPF_GENERIC = 280
_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH = 5, 8, 9
_PROG_GET_FD_BY_ID, _PROG_QUERY = 13, 16
_TYPE_CGROUP_DEVICE = 15
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI = 2
_MOST_PROGRAMS = 64

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _ProgLoad(ctypes.Structure):
    _fields_ = (
        ("prog_type", ctypes.c_uint32),
        ("insn_cnt", ctypes.c_uint32),
        ("insns", ctypes.c_uint64),
        ("license", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 104),
    )


class _ProgAttach(ctypes.Structure):
    _fields_ = (
        ("target_fd", ctypes.c_uint32),
        ("attach_bpf_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("replace_bpf_fd", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 108),
    )


class _ProgQuery(ctypes.Structure):
    _fields_ = (
        ("target_fd", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("query_flags", ctypes.c_uint32),
        ("attach_flags", ctypes.c_uint32),
        ("prog_ids", ctypes.c_uint64),
        ("prog_cnt", ctypes.c_uint32),
        ("rest", ctypes.c_uint8 * 100),
    )


class _GetFdById(ctypes.Structure):
    _fields_ = (("id", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 124))


def _bpf(command: int, attr: ctypes.Structure, call: str) -> int:
    number = _SYS_BPF.get(os.uname().machine, _SYS_BPF_GENERIC)
    result = _libc.syscall(
        ctypes.c_long(number),
        ctypes.c_int(command),
        ctypes.byref(attr),
        ctypes.c_uint(ctypes.sizeof(attr)),
    )
    if result < 0:
        raise KernelCallError(ctypes.get_errno(), f"bpf({call})")
    return int(result)


def prog_load_cgroup_device(code: bytes) -> int:
    """Load a device program: BPF_PROG_LOAD. Returns an fd."""
    instructions = ctypes.create_string_buffer(code, len(code))
    gpl = ctypes.create_string_buffer(b"GPL")
    attr = _ProgLoad(
        _TYPE_CGROUP_DEVICE,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(gpl),
    )
    return _bpf(_PROG_LOAD, attr, "BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE")


def prog_attach_cgroup_device(cgroup_fd: int, program_fd: int) -> None:
    """Attach a device program to a cgroup, beside those that are there: BPF_PROG_ATTACH."""
    attr = _ProgAttach(cgroup_fd, program_fd, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI)
    _bpf(_PROG_ATTACH, attr, "BPF_PROG_ATTACH, BPF_CGROUP_DEVICE")


def prog_detach_cgroup_device(cgroup_fd: int, program_fd: int) -> None:
    """Detach a device program: BPF_PROG_DETACH."""
    attr = _ProgAttach(cgroup_fd, program_fd, _ATTACH_CGROUP_DEVICE)
    _bpf(_PROG_DETACH, attr, "BPF_PROG_DETACH, BPF_CGROUP_DEVICE")


def progs_of_cgroup_device(cgroup_fd: int) -> list[int]:
    """Return fds of the cgroup's own device programs: BPF_PROG_QUERY, BPF_PROG_GET_FD_BY_ID."""
    ids = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    query = _ProgQuery(
        cgroup_fd, _ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), _MOST_PROGRAMS
    )
    _bpf(_PROG_QUERY, query, "BPF_PROG_QUERY, BPF_CGROUP_DEVICE")
    return [
        _bpf(_PROG_GET_FD_BY_ID, _GetFdById(ids[i]), "BPF_PROG_GET_FD_BY_ID")
        for i in range(query.prog_cnt)
    ]
