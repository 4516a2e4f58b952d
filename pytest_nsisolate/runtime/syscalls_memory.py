"""Changing what this process's own memory is backed by, beside :mod:`.syscalls`."""

from __future__ import annotations

from . import libc
from .syscalls import _fail, _libc

PROT_READ = 1
PROT_WRITE = 2
PROT_EXEC = 4
_MAP_PRIVATE = 0x02
_MAP_FIXED = 0x10
_MAP_ANONYMOUS = 0x20
_MAP_POPULATE = 0x8000
_MREMAP_MAYMOVE_FIXED = 3
_MADV_COLLAPSE = 25
_FAILED = libc.c_void_p(-1).value

_PR_SET_MM = 35
_PR_SET_MM_MAP = 14

_pointer, _size, _int, _long = libc.c_void_p, libc.c_size_t, libc.c_int, libc.c_long
_libc.mmap.argtypes = [_pointer, _size, _int, _int, _int, _long]
_libc.mmap.restype = _pointer
_libc.mremap.argtypes = [_pointer, _size, _size, _int, _pointer]
_libc.mremap.restype = _pointer
_libc.mprotect.argtypes = [_pointer, _size, _int]
_libc.madvise.argtypes = [_pointer, _size, _int]
_libc.memmove.argtypes = [_pointer, _pointer, _size]
_libc.memmove.restype = _pointer
_libc.sbrk.argtypes = [_long]
_libc.sbrk.restype = _pointer

#: More than a ucontext_t takes on any machine, and than the two functions take of a stack.
_CONTEXT_SIZE = 16384
_STACK_SIZE = 65536


class _Context(libc.Structure):
    """The beginning of a ucontext_t, the same on all 64-bit machines: getcontext(3)."""

    _fields_ = (
        ("uc_flags", libc.c_ulong),
        ("uc_link", _pointer),
        ("ss_sp", _pointer),
        ("ss_flags", _int),
        ("ss_size", _size),
        ("rest", libc.c_char * (_CONTEXT_SIZE - 40)),
    )


class MemoryMap(libc.Structure):
    """``struct prctl_mm_map``: what the kernel has noted of a process's memory."""

    _fields_ = (
        *(
            (name, libc.c_uint64)
            for name in "start_code end_code start_data end_data start_brk brk start_stack "
            "arg_start arg_end env_start env_end auxv".split()
        ),
        ("auxv_size", libc.c_uint32),
        ("exe_fd", libc.c_uint32),
    )


def collapse(start: int, length: int) -> None:
    """Back memory with huge pages, now: madvise(2), MADV_COLLAPSE."""
    if _libc.madvise(start, length, _MADV_COLLAPSE) < 0:
        _fail(f"madvise({start:#x}, {length}, MADV_COLLAPSE)")


def can_switch_contexts() -> bool:
    """Tell whether the C library has makecontext(3): musl has not."""
    return hasattr(_libc, "makecontext")


def map_file(start: int, length: int, prot: int, fd: int, offset: int) -> None:
    """Map a file over what is at *start*: mmap(2), MAP_FIXED."""
    flags = _MAP_PRIVATE | _MAP_FIXED
    if _libc.mmap(start, length, prot, flags, fd, offset) == _FAILED:
        _fail(f"mmap({start:#x}, {length}, MAP_FIXED)")


def copy_constant(start: int, length: int, prot: int) -> None:
    """Put a copy without a file in the place of memory that nobody writes to."""
    new = _room(length)
    _libc.memmove(new, start, length)
    if _libc.mprotect(new, length, prot) < 0:
        _fail(f"mprotect({new:#x}, {length}, {prot})")
    _replace(new, length, start)


def copy_simply(start: int, length: int) -> None:
    """Put a copy in the place of writable memory in which the interpreter has nothing that changes."""
    new = _room(length)
    _libc.memmove(new, start, length)
    _replace(new, length, start)


def copy_at_once(start: int, length: int) -> None:
    """Put a copy in the place of the memory that the interpreter itself keeps its state in.

    Not a line of Python may run between the copy and the exchange, or what it changes would be lost: the two
    are contexts of makecontext(3), of which one goes on with the next.
    """
    new = _room(length)
    stacks = [(libc.c_char * _STACK_SIZE)() for _ in range(2)]
    back, copy, exchange = _Context(), _Context(), _Context()
    for context, stack, following in ((copy, stacks[0], exchange), (exchange, stacks[1], back)):
        _libc.getcontext(libc.byref(context))
        context.uc_link = libc.addressof(following)
        context.ss_sp = libc.addressof(stack)
        context.ss_size = _STACK_SIZE
    memmove, mremap = (
        _pointer.from_address(libc.addressof(f)) for f in (_libc.memmove, _libc.mremap)
    )
    arguments = [_long(n) for n in (new, start, length)]
    _libc.makecontext(libc.byref(copy), memmove, 3, *arguments)
    arguments = [_long(n) for n in (new, length, length, _MREMAP_MAYMOVE_FIXED, start)]
    _libc.makecontext(libc.byref(exchange), mremap, 5, *arguments)
    if _libc.swapcontext(libc.byref(back), libc.byref(copy)) < 0:
        _fail("swapcontext")


def _room(length: int) -> int:
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_POPULATE
    found = _libc.mmap(None, length, PROT_READ | PROT_WRITE, flags, -1, 0)
    if found == _FAILED:
        _fail(f"mmap({length}, MAP_ANONYMOUS)")
    return int(found)


def _replace(new: int, length: int, start: int) -> None:
    if _libc.mremap(new, length, length, _MREMAP_MAYMOVE_FIXED, start) == _FAILED:
        _fail(f"mremap({length}, MREMAP_FIXED, {start:#x})")


def set_memory_map(memory: MemoryMap) -> None:
    """Tell the kernel *memory*, but for its ``brk``, which stays: PR_SET_MM_MAP of prctl(2)."""
    address, size = libc.addressof(memory), libc.sizeof(memory)
    memory.brk = _libc.sbrk(0)
    if _libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, address, size, 0) < 0:
        _fail("prctl(PR_SET_MM, PR_SET_MM_MAP)")
