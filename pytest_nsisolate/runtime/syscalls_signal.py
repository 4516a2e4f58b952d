"""Signal handlers that run while a process is dying (sigaction(2)), beside :mod:`.syscalls`.

Python's own handlers run between two instructions of its bytecode, which after a SIGSEGV never come.
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
import threading

from .syscalls import _fail, _libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SA_ONSTACK = 0x08000000
_SA_RESTART = 0x10000000
_SIGEV_SIGNAL = 0
_CLOCK_MONOTONIC = 1
#: Python code needs more than the stack that faulthandler(3) sets up for itself.
_STACK_SIZE = 1024 * 1024


class _Sigaction(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _Stack(ctypes.Structure):
    _fields_ = (
        ("sp", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


class _Sigevent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_ubyte * 48),
    )


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval", ctypes.c_long * 2),
        ("value", ctypes.c_long * 2),
    )


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)

#: What must not be collected as long as the kernel has its address.
_kept: list[object] = []


def last_words(function: Callable[[], None], deadly: list[int], request: int, seconds: int) -> None:
    """Let *function* run when a signal of *deadly* is about to do what it does, or at *request*.

    A signal of *deadly* then does that: the action that it had before is restored, and the signal raised
    again. If *function* takes longer than *seconds*, the process is killed: it may wait for a lock
    that the interrupted code holds, for ever. At *request* it just returns.
    """
    before = {number: _Sigaction() for number in deadly}

    def handle(number: int) -> None:
        try:
            if number in before:
                _check(_libc.sigaction(number, ctypes.byref(before[number]), None), "sigaction")
                _kill_after(seconds)
            function()
        finally:
            if number in before:
                # Pending until this handler returns. A fault would come again by itself, a kill(2) not.
                signal.pthread_kill(threading.get_ident(), number)

    action = _Sigaction(handler=ctypes.cast(callback := _HANDLER(handle), ctypes.c_void_p))
    # Python 3.14 checks its stack pointer, and takes another stack for one that has overflown.
    action.flags = _SA_RESTART | (_SA_ONSTACK if sys.version_info < (3, 14) else 0)
    stack = mmap.mmap(-1, _STACK_SIZE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(stack))
    _check(_libc.sigaltstack(ctypes.byref(_Stack(base, 0, _STACK_SIZE)), None), "sigaltstack")
    _kept.extend((callback, stack, before))
    for number in (*deadly, request):
        old = ctypes.byref(before[number]) if number in before else None
        _check(_libc.sigaction(number, ctypes.byref(action), old), f"sigaction({number})")


def _kill_after(seconds: int) -> None:
    timer = ctypes.c_void_p()
    event = _Sigevent(signo=signal.SIGKILL, notify=_SIGEV_SIGNAL)
    reference = ctypes.byref(timer)
    _check(_libc.timer_create(_CLOCK_MONOTONIC, ctypes.byref(event), reference), "timer_create")
    setting = _Itimerspec(value=(seconds, 0))
    _check(_libc.timer_settime(timer, 0, ctypes.byref(setting), None), "timer_settime")


def _check(result: int, call: str) -> None:
    if result < 0:
        _fail(call)
