"""A race against the runtime: two names in a rootfs that are exchanged all the time."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def seconds() -> float:
    """Return how long a race goes on; NSISOLATE_TEST_RACE says for how many seconds."""
    return float(os.environ.get("NSISOLATE_TEST_RACE", "3"))


def rounds(least: int = 5) -> Iterator[int]:
    """Count from 1 on until the time is over, and to *least* in any case."""
    until = time.monotonic() + seconds()
    for number in itertools.count(1):
        if number > least and time.monotonic() >= until:
            return
        yield number


class Exchange:
    """While it is entered, *one* and *other* are exchanged as fast as possible: renameat2(2)."""

    def __init__(self, one: Path, other: Path) -> None:
        self._names = os.fsencode(one), os.fsencode(other)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.count = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()
        if self.count % 2:
            self._exchange()
        assert self.count > 100, "nothing was exchanged: this was no race"

    def _go_on(self) -> None:
        while not self._end.is_set():
            self._exchange()

    def _exchange(self) -> None:
        one, other = self._names
        done = self._libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE)
        self.count += done == 0
