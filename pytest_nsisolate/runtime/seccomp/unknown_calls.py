"""ENOSYS for system calls that are newer than the profile.

A profile that holds back all that it does not name would answer EPERM to calls that its author never
heard of, and programs do not take that for "try the older one", as the C library does for ENOSYS
(clone3, faccessat2, ...). So what comes after all the calls of the profile in an architecture's table is
answered with ENOSYS, before the filter proper is asked; runc does the same.
"""

from __future__ import annotations

import struct

from .records import WITH_ERRNO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .records import Seccomp

_ENOSYS = 38
#: Who allows what is not named leaves the answer to the kernel, and a tracer to the tracer.
_NOT_HELD_BACK = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")

# linux/bpf_common.h and linux/seccomp.h.
_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_IF_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_ERRNO = 0x00050000  # SECCOMP_RET_ERRNO

#: x32 is x86_64 to the kernel, with this bit in the numbers of its calls.
_X32_BIT = 1 << 30

_Instruction = tuple[int, int, int, int]


def answer_unknown(profile: Seccomp, lib: Any) -> bytes:
    """Return the instructions that go before those of the filter; *lib* is libseccomp's binding."""
    if profile.default_action in _NOT_HELD_BACK:
        return b""
    if profile.default_action in WITH_ERRNO and profile.default_errno_ret == _ENOSYS:
        return b""
    program: list[_Instruction] = []
    latest = _latest_calls(profile, lib)
    x32 = latest.pop(lib.Arch.X32, None)
    for token, number in latest.items():
        # The tokens of libseccomp are the kernel's AUDIT_ARCH_ numbers, but for x32.
        checks = _checks(token, number, x32, lib)
        program += [
            (_LOAD_WORD, 0, 0, _ARCHITECTURE),
            (_IF_EQUAL, 0, len(checks) + 1, token),
            (_LOAD_WORD, 0, 0, _NUMBER),
            *checks,
        ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _checks(token: int, latest: int, x32: int | None, lib: Any) -> list[_Instruction]:
    """Return what compares the number of a call of one architecture, and goes on behind it or returns."""
    answer = (_RETURN, 0, 0, _ERRNO | _ENOSYS)
    if token == lib.Arch.X86_64 and x32 is not None:
        return [
            (_IF_BITS, 1, 0, _X32_BIT),
            (_IF_GREATER, 1, 2, latest),
            (_IF_GREATER, 0, 1, x32),
            answer,
        ]
    if token == lib.Arch.X86_64:
        return [(_IF_BITS, 2, 0, _X32_BIT), (_IF_GREATER, 0, 1, latest), answer]
    if token in (lib.Arch.S390, lib.Arch.S390X):
        # There, what the kernel does not know arrives as number 0.
        return [(_IF_EQUAL, 1, 0, 0), (_IF_GREATER, 0, 1, latest), answer]
    return [(_IF_GREATER, 0, 1, latest), answer]


def _latest_calls(profile: Seccomp, lib: Any) -> dict[int, int]:
    """Return the largest number of a call that the profile names, by architecture."""
    names = {name for rule in profile.syscalls for name in rule.names}
    tokens = [getattr(lib.Arch, name.removeprefix("SCMP_ARCH_")) for name in profile.architectures]
    latest = {}
    for token in dict.fromkeys((lib.system_arch(), *tokens)):
        # Negative numbers stand for calls that the architecture does not have.
        numbers = [number for name in names if (number := _number(lib, token, name)) >= 0]
        if numbers:
            latest[token] = max(numbers)
    return latest


def _number(lib: Any, token: int, name: str) -> int:
    try:
        return int(lib.resolve_syscall(token, name))
    except ValueError:
        return -1
