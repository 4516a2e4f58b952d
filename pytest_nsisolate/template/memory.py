"""Huge pages for a large template: a fork copies the page tables, and those of huge pages are small.

With a gigabyte of ordinary pages they are what a clone costs most. The kernel's own way to huge pages, in the
background, takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..runtime.errors import KernelCallError
from ..runtime.syscalls_memory import collapse

#: Bytes below which a template is not large: putting pages together takes longer than it saves.
_LARGE = 96 << 20
#: Bytes by which a template has to have grown to be looked at again.
_GROWTH = 64 << 20
#: As many forks make up for putting the pages together.
_WORTH_IT = 100
_HUGE_PAGE = 2 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """The memory of a template for so many *tests*."""

    def __init__(self, tests: int) -> None:
        self._tests = tests
        self._settled = _LARGE - _GROWTH

    def settle(self) -> None:
        """Before a fork: use huge pages if the process is large, has grown, and is to be forked often."""
        self._tests -= 1
        if self._tests < _WORTH_IT or _private_bytes() < self._settled + _GROWTH:
            return
        for start, end in _anonymous():
            try:
                collapse(start, end - start)
            except KernelCallError:
                pass  # Linux before 6.1, none free, or some of it cannot be: it stays as it is
        self._settled = _private_bytes()


def _private_bytes() -> int:
    with open("/proc/self/statm", encoding="utf-8") as file:
        _size, resident, shared, *_rest = file.read().split()
    return (int(resident) - int(shared)) * _PAGE


def _anonymous() -> Iterator[tuple[int, int]]:
    """Yield the ranges of writable memory without a file, as far as huge pages fit into them."""
    with open("/proc/self/maps", encoding="utf-8") as file:
        for line in file:
            addresses, permissions, _offset, _device, inode, *name = line.split()
            if permissions != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
                continue
            first, last = (int(address, 16) for address in addresses.split("-"))
            start = -(-first // _HUGE_PAGE) * _HUGE_PAGE
            end = last // _HUGE_PAGE * _HUGE_PAGE
            if start < end:
                yield start, end
