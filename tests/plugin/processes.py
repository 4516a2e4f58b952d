"""Looking for processes from outside, and waiting for what becomes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple


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


class Process(NamedTuple):
    """A process, by number and start, with its name and its state, one letter of proc(5)'s."""

    pid: int
    start: str
    name: str
    state: str


def below(pid: int) -> list[Process]:
    """Return the descendants of a process, also those whose environment is not ours to read."""
    parents: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            found, parent = _stat(name)
            parents.setdefault(parent, []).append(found)
    wanted = list(parents.get(pid, ()))
    for process in wanted:
        wanted += parents.get(process.pid, ())
    return wanted


def is_alive(process: Process) -> bool:
    """Tell whether it runs still; one that nobody has reaped does not."""
    found, _parent = _stat(str(process.pid))
    return found.start == process.start and found.state not in "ZX"


def _stat(pid: str) -> tuple[Process, int]:
    # proc(5): the name is in parentheses, and may hold some itself.
    name, _, rest = _read(pid, "stat").decode(errors="replace").rpartition(")")
    fields = rest.split() or ["X", "-1"] + [""] * 20
    return Process(int(pid), fields[19], name.partition("(")[2], fields[0]), int(fields[1])


def wait_until(is_so: Callable[[], object], within: float, what: str) -> float:
    """Wait until *is_so*, and return how long that took; fail, naming *what*, if it never is."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(0.01)
    return time.monotonic() - began
