"""Looking for processes from outside, and waiting for what becomes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable


def with_marker(marker: str) -> list[int]:
    """Return the pids of all processes, but ours, that have *marker* in command line or environment."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        if marker.encode() in _read(name, "cmdline") + _read(name, "environ"):
            found.append(int(name))
    return found


def _read(pid: str, file: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{file}", "rb") as opened:
            return opened.read()
    except OSError:
        return b""  # it has ended, or is somebody else's


def wait_until(is_so: Callable[[], object], within: float, what: str) -> float:
    """Wait until *is_so*, and return how long that took; fail, naming *what*, if it never is."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - began
