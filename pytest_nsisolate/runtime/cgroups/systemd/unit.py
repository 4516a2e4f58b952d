"""What is done to a container's unit while it is there, and its end."""

from __future__ import annotations

import os

from ...errors import SetupError
from ..group import Cgroup, read, write
from .bus import Systemd
from .properties import properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...resources import Resources

#: What systemd writes again, all of it, whenever it is told anything about the unit.
_WRITTEN_AGAIN = (
    "cpu.max cpu.weight cpu.idle cpuset.cpus cpuset.mems io.weight io.bfq.weight memory.min memory.low "
    "memory.high memory.max memory.swap.max memory.zswap.max pids.max "
    "cpu.shares cpu.cfs_period_us cpu.cfs_quota_us memory.limit_in_bytes blkio.weight blkio.bfq.weight"
).split()


def limit(cgroup: Cgroup, resources: Resources) -> None:
    """Tell systemd of limits that are in the cgroup's files. Raises SetupError and UnsupportedError."""
    found = properties(resources, on_v1=cgroup.directory("devices") is not None)
    if not found:
        return
    paths = [f"{directory}/{name}" for directory in cgroup.paths for name in _WRITTEN_AGAIN]
    before = [(path, content) for path in paths if (content := read(path))]
    with Systemd() as systemd:
        systemd.set_properties(cgroup.unit, found)
    # It knows a quota as a percentage, and weights on its own scale: the files had it right.
    _write_back(before, strictly=False)
    _write_back(before, strictly=True)


def _write_back(contents: list[tuple[str, str]], *, strictly: bool) -> None:
    """Write what differs; not *strictly*: of two that bound each other either may have to go first."""
    for path, content in contents:
        if read(path) != content:
            for line in content.splitlines():
                try:
                    write(path, line, "")
                except SetupError:
                    if strictly:
                        raise


def attach(unit: str, directory: str) -> None:
    """Move the calling process into *directory*, the unit's cgroup or one below it.

    For where the kernel does not let us: an ordinary user may move a process within what is delegated to him
    only (cgroups(7)), and a login session is not. From there the manager of his units gets him in, with
    the help of the machine's.
    """
    _above, _unit, below = directory.partition(unit)
    with Systemd() as systemd:
        systemd.attach(unit, below, os.getpid())


def stop(unit: str) -> None:
    """Stop the unit, whose processes have been killed, so that its name is free again."""
    with Systemd() as systemd:
        systemd.stop(unit)
