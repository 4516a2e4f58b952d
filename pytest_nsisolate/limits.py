"""What a test may use, as marks and the ini file write it."""

from __future__ import annotations

import math

import pytest

from .runtime.record import Record

#: The keywords, which are the fields of :class:`Limits` too, each with a setting ``nsisolate_KEYWORD``.
KEYWORDS = ("cpu", "memory", "pids")

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: The kernel takes no shorter share of its period of 100 ms than 1 ms.
_LEAST_CPU = 0.01
_MOST = 1 << 62


class Limits(Record):
    """Limits of all processes of one test together; None is no limit.

    *cpu* is in processors, *memory* in bytes, *pids* in processes and threads.
    """

    cpu: float | None = None
    memory: int | None = None
    pids: int | None = None

    def __str__(self) -> str:
        """Return them as a mark's keywords."""
        given = {name: getattr(self, name) for name in KEYWORDS}
        return ", ".join(f"{n}={v:g}" if n == "cpu" else f"{n}={v}" for n, v in given.items() if v)


NO_LIMITS = Limits()


def read_limit(name: str, value: object, where: str) -> float | int | None:
    """Return the value of the keyword *name*; None, and an empty text, are no limit. Raises UsageError."""
    if value is None or value == "":
        return None
    read = {"cpu": _processors, "memory": _bytes, "pids": _count}[name]
    remedy = {
        "cpu": f"write a number of processors, {_LEAST_CPU} or more",
        "memory": 'write a number of bytes above 0, or a text such as "512M"',
        "pids": "write a number of processes above 0",
    }[name]
    try:
        return read(value)
    except (TypeError, ValueError, OverflowError):
        raise pytest.UsageError(f"{where}: {name}={value!r} cannot be used; {remedy}") from None


def _processors(value: object) -> float:
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        raise TypeError
    number = float(value)
    if not _LEAST_CPU <= number < 1e6 or math.isnan(number):
        raise ValueError
    return number


def _bytes(value: object) -> int:
    if isinstance(value, str):
        text = value.strip().upper().removesuffix("B").removesuffix("I")
        unit = text[-1:] if text[-1:] in _UNITS else ""
        digits = text.removesuffix(unit).strip()
        if not digits.isascii() or not digits.replace(".", "", 1).isdigit():
            raise ValueError
        value = int(float(digits) * _UNITS[unit])
    return _count(value)


def _count(value: object) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    if not 0 < value < _MOST:
        raise ValueError
    return value


def size_text(number: int) -> str:
    """Return ``64.0 MiB`` for a number of bytes."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} bytes"
