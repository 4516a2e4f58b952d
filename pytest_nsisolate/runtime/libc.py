"""The C library, with the C types that its calls take; by ``_ctypes``, on which ``ctypes`` is built.

The package ``ctypes`` takes 2 ms and 240 KiB, of which ``nsisolate run`` would use a tenth. The names are its
names, and mean the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import (
        CDLL,
        PyDLL,
        Structure,
        addressof,
        byref,
        c_char,
        c_char_p,
        c_int,
        c_long,
        c_size_t,
        c_uint,
        c_uint32,
        c_uint64,
        c_ulong,
        c_void_p,
        get_errno,
        sizeof,
    )
else:
    import _ctypes
    from _ctypes import Structure, addressof, byref, get_errno, sizeof

    def _simple(name: str, code: str) -> type:
        return type(name, (_ctypes._SimpleCData,), {"_type_": code})  # noqa: SLF001 - there is no public one

    c_char = _simple("c_char", "c")
    c_char_p = _simple("c_char_p", "z")
    c_void_p = _simple("c_void_p", "P")
    c_int = _simple("c_int", "i")
    c_uint = c_uint32 = _simple("c_uint", "I")
    c_long = _simple("c_long", "l")
    c_ulong = c_uint64 = c_size_t = _simple("c_ulong", "L")  # on all 64-bit machines

    class _Function(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = c_int

    class _HeldFunction(_ctypes.CFuncPtr):
        _flags_ = _Function._flags_ | _ctypes.FUNCFLAG_PYTHONAPI
        _restype_ = c_int

    class CDLL:
        """A library's functions, as its attributes; ``get_errno`` tells how a call failed."""

        _type = _Function

        def __init__(self, name: str | None, *, use_errno: bool) -> None:
            assert use_errno
            self._handle = _ctypes.dlopen(name, 0)

        def __getattr__(self, name: str) -> _ctypes.CFuncPtr:
            self.__dict__[name] = found = self._type((name, self))
            return found

    class PyDLL(CDLL):
        """The same, with the interpreter's lock held during calls."""

        _type = _HeldFunction


__all__ = [
    "CDLL",
    "PyDLL",
    "Structure",
    "addressof",
    "byref",
    "c_char",
    "c_char_p",
    "c_int",
    "c_long",
    "c_size_t",
    "c_uint",
    "c_uint32",
    "c_uint64",
    "c_ulong",
    "c_void_p",
    "get_errno",
    "sizeof",
]
