"""The compiled filter: what it answers, by a small machine for BPF, and by the kernel."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys

import pytest

from pytest_nsisolate.runtime.seccomp.compile import binding, compile_profile
from pytest_nsisolate.runtime.seccomp.records import Seccomp, SyscallRule

from .. import capabilities

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
KILL_PROCESS = 0x80000000
EPERM, ENOENT, ENOSYS = 1, 2, 38
X32 = 1 << 30


@pytest.fixture(autouse=True)
def _needs_libseccomp() -> None:
    there = any(importlib.util.find_spec(name) for name in ("seccomp", "pyseccomp"))
    capabilities.need(there, "pyseccomp (pip install 'pytest-nsisolate[seccomp]')")


def profile(
    *names: str,
    default: str = "SCMP_ACT_ERRNO",
    errno: int | None = None,
    architectures: tuple[str, ...] = (),
) -> Seccomp:
    """Return a profile that allows some calls."""
    return Seccomp(
        default_action=default,
        default_errno_ret=errno,
        architectures=architectures,
        syscalls=(SyscallRule(names=names, action="SCMP_ACT_ALLOW"),),
    )


def answer(code: bytes, architecture: int, number: int) -> int:
    """Run the program on a call, as the kernel would (seccomp(2)); return its verdict."""
    program = list(struct.iter_unpack("=HBBI", code))
    data = struct.pack("=iIQ6Q", number, architecture, 0, *range(6))
    accumulator, at = 0, 0
    while True:
        operation, if_true, if_false, value = program[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return int(value)
        elif operation == 0x05:
            at += value
        else:
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            at += if_true if holds else if_false


def number(architecture: int, name: str) -> int:
    """Return the number of a call."""
    return int(binding().resolve_syscall(architecture, name))


def test_what_is_newer_than_the_profile_is_not_implemented() -> None:
    """After the last call of the profile comes ENOSYS; before it, what is not named gets the default."""
    native = binding().system_arch()
    code = compile_profile(profile("read", "memfd_secret"))
    last = number(native, "memfd_secret")
    assert answer(code, native, number(native, "read")) == ALLOW
    assert answer(code, native, last) == ALLOW
    assert answer(code, native, last - 1) == ERRNO | EPERM
    assert answer(code, native, last + 1) == ERRNO | ENOSYS
    assert answer(code, native, 100_000) == ERRNO | ENOSYS


def test_names_that_nobody_knows_do_not_count() -> None:
    """A name that this libseccomp does not know has no number; the others have."""
    native = binding().system_arch()
    code = compile_profile(profile("read", "a_call_from_the_future"))
    assert answer(code, native, number(native, "read")) == ALLOW
    assert answer(code, native, number(native, "read") + 1) == ERRNO | ENOSYS


def test_each_architecture_has_its_last_call() -> None:
    """x86_64, x32 and i386 number their calls differently; the second is the first with a bit set."""
    arch = binding().Arch
    capabilities.need(binding().system_arch() == arch.X86_64, "an x86_64 machine")
    names = ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32")
    code = compile_profile(profile("read", "rseq", architectures=names))
    for token, seen_as in (
        (arch.X86_64, arch.X86_64),
        (arch.X86, arch.X86),
        (arch.X32, arch.X86_64),
    ):
        last = number(token, "rseq")
        assert answer(code, seen_as, last) == ALLOW
        assert answer(code, seen_as, last - 1) == ERRNO | EPERM
        assert answer(code, seen_as, last + 1) == ERRNO | ENOSYS
    assert number(arch.X86, "rseq") > number(arch.X86_64, "rseq"), "or this shows nothing"


def test_an_architecture_that_is_not_in_the_profile_is_none_of_its_business() -> None:
    """x32 without SCMP_ARCH_X32, or i386 alone, meets what libseccomp has for a wrong architecture."""
    arch = binding().Arch
    capabilities.need(binding().system_arch() == arch.X86_64, "an x86_64 machine")
    code = compile_profile(profile("read"))
    assert answer(code, arch.X86_64, X32 + 1000) != ERRNO | ENOSYS
    assert answer(code, arch.X86, 1000) != ERRNO | ENOSYS


@pytest.mark.parametrize(
    ("default", "errno", "expected"),
    [
        ("SCMP_ACT_KILL_PROCESS", None, ERRNO | ENOSYS),
        ("SCMP_ACT_ERRNO", ENOENT, ERRNO | ENOSYS),
        ("SCMP_ACT_ERRNO", ENOSYS, ERRNO | ENOSYS),
        ("SCMP_ACT_LOG", None, 0x7FFC0000),
        ("SCMP_ACT_TRACE", None, 0x7FF00000 | EPERM),
    ],
)
def test_the_default_action_decides(default: str, errno: int | None, expected: int) -> None:
    """Only what holds calls back is kept from doing so to those that it cannot know."""
    native = binding().system_arch()
    code = compile_profile(profile("read", "rseq", default=default, errno=errno))
    assert answer(code, native, number(native, "rseq") + 1) == expected


def test_the_kernel_takes_it() -> None:
    """The whole program, loaded into a process: a call that no kernel has, and one that is not named."""
    script = (
        "import ctypes, os\n"
        "from pytest_nsisolate.runtime import syscalls as sys, syscalls_seccomp\n"
        "from pytest_nsisolate.runtime.seccomp.compile import compile_profile\n"
        "from pytest_nsisolate.runtime.seccomp.records import Seccomp, SyscallRule\n"
        "names = ('read', 'write', 'exit_group', 'memfd_secret', 'brk', 'mmap', 'munmap', 'rt_sigaction')\n"
        "rule = SyscallRule(names=names, action='SCMP_ACT_ALLOW')\n"
        "code = compile_profile(Seccomp(default_action='SCMP_ACT_ERRNO', syscalls=(rule,)))\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "sys.prctl(sys.PR_SET_NO_NEW_PRIVS, 1, name='')\n"
        "syscalls_seccomp.seccomp_set_mode_filter(0, code)\n"
        "libc.syscall(100000)\n"
        "unknown = ctypes.get_errno()\n"
        "libc.chdir(b'/')\n"
        "print(unknown, ctypes.get_errno(), flush=True)\n"
        "os._exit(0)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert finished.stdout.split() == [str(ENOSYS), str(EPERM)], finished
