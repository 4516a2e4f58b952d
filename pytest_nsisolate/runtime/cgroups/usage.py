"""What a cgroup's limits have come to."""

from __future__ import annotations

from .group import Cgroup, read
from .locate import UNIFIED


def peak_memory(cgroup: Cgroup) -> int | None:
    """Return the most memory that was in use at a time, in bytes; None before Linux 5.19 on v2."""
    for directory, file in (
        (cgroup.directory("memory"), "memory.max_usage_in_bytes"),
        (cgroup.directory(UNIFIED), "memory.peak"),
    ):
        text = read(f"{directory}/{file}").strip() if directory else ""
        if text.isdecimal():
            return int(text)
    return None


def refused_forks(cgroup: Cgroup) -> int:
    """Return how often a process or a thread was refused for the limit of pids."""
    for name in ("pids", UNIFIED):
        directory = cgroup.directory(name)
        for line in read(f"{directory}/pids.events").splitlines() if directory else ():
            if line.startswith("max "):
                return int(line.split()[1])
    return 0
