"""The result of planning a root file system, and the mounts that it is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..runtime.factory.layers import escape, lies_below, lower_directories
from ..runtime.mounts.mountinfo import unescaped
from ..runtime.mounts.skeleton import Entry
from ..runtime.plan import Mount
from ..runtime.record import Record

#: A share of the machine's memory that one tmpfs may take.
TMPFS_SIZE = "size=25%"


class Layout(Record):
    """The *entries* that the root starts with and the *mounts* that go on top, in order."""

    entries: tuple[Entry, ...]
    mounts: tuple[Mount, ...]


def read_only(path: str) -> Mount:
    """Return a mount that shows the host's *path*, and what is mounted below it, read-only."""
    options = ("rbind", "rro", "rnosuid", "rnodev")
    return Mount(destination=path, source=path, options=options)


def writable(path: str) -> Mount:
    """Return a mount that shows the host's *path* and lets it be written to."""
    return Mount(destination=path, source=path, options=("rbind", "rnosuid", "rnodev"))


def fresh(path: str, mode: str = "755") -> Mount:
    """Return an empty tmpfs on *path*."""
    options = ("nosuid", "nodev", f"mode={mode}", TMPFS_SIZE)
    return Mount(destination=path, source="tmpfs", type="tmpfs", options=options)


def copied(path: str) -> Mount:
    """Return a tmpfs on *path* that starts with what the root has there."""
    mount = fresh(path)
    return mount.replace(options=(*mount.options, "tmpcopyup"))


def copy_on_write(path: str, scratch: str, source: str = "") -> Mount:
    """Return an overlay on *path* of the host's *source*, by default the same path.

    Changes go to *scratch* and vanish with it.
    """
    options = (
        f"lowerdir={escape(source or path)}",
        f"upperdir={escape(scratch)}/upper",
        f"workdir={escape(scratch)}/work",
        "userxattr",
        "nosuid",
        "nodev",
    )
    return Mount(destination=path, source="overlay", type="overlay", options=options)


def in_order(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """Return *mounts* with outer destinations first and without those that add nothing.

    Of two with the same destination the later one counts. A read-only bind is left out where the mount
    around it already shows the same.
    """
    last = {mount.destination: mount for mount in mounts}
    kept: list[Mount] = []
    for mount in sorted(last.values(), key=lambda m: (m.destination.count("/"), m.destination)):
        around = _around(mount.destination, kept)
        if not (_shows_itself_readonly(mount) and around is not None and _shows(around)):
            kept.append(mount)
    return tuple(kept)


def _around(path: str, mounts: list[Mount]) -> Mount | None:
    found = [m for m in mounts if m.destination != path and lies_below(path, m.destination)]
    return max(found, key=lambda m: len(m.destination), default=None)


def _shows_itself_readonly(mount: Mount) -> bool:
    return mount.source == mount.destination and "rro" in mount.options


def _shows(around: Mount) -> bool:
    return around.destination in (around.source, *lower_directories(around))


def existing(paths: Iterable[str]) -> list[str]:
    """Return those of *paths* that exist, as real paths, each once."""
    return list(dict.fromkeys(os.path.realpath(path) for path in paths if os.path.exists(path)))


def mounts_below(path: str) -> list[str]:
    """Return the host's mount points below *path*.

    A user namespace may not take a directory apart from the mounts in it, so there can be no overlay of it.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [unescaped(line.split()[4]) for line in file]
    return [point for point in points if point != path and lies_below(point, path)]
