"""The host's programs and libraries, read-only, and the directories that every program expects."""

from __future__ import annotations

import os

from ..runtime.mounts.skeleton import Entry
from ..runtime.plan import Mount
from .layout import copied, copy_on_write, fresh, mounts_below, read_only

#: What a distribution installs to, where it exists.
_SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt", "nix", "gnu", "snap")

_EMPTY = (
    "/home",
    "/media",
    "/mnt",
    "/root",
    "/srv",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/spool",
)

#: What a root user inside expects to be able to write to, besides /usr and /opt.
_CHANGEABLE = ("/etc", "/home", "/media", "/mnt", "/root", "/srv", "/var")


def system_entries() -> list[Entry]:
    """Return the links and directories of the root."""
    entries = [Entry(kind="d", path=path) for path in _EMPTY]
    entries += [
        Entry(kind="l", path="/var/run", content="/run"),
        Entry(kind="l", path="/var/lock", content="/run/lock"),
    ]
    for name in _SYSTEM:
        path = f"/{name}"
        if os.path.islink(path):
            entries.append(Entry(kind="l", path=path, content=os.readlink(path)))
    return entries


def system_mounts(*, scratch: str, changeable: bool) -> list[Mount]:
    """Return the mounts of the system; *changeable* ones are copies on write, for a root user."""
    mounts = [read_only("/sys")]
    for name in _SYSTEM:
        path = f"/{name}"
        if not os.path.isdir(path) or os.path.islink(path):
            continue
        if changeable and name in ("usr", "opt") and not mounts_below(path):
            mounts.append(copy_on_write(path, f"{scratch}/{name}"))
        else:
            mounts.append(read_only(path))
    if changeable:
        mounts += [copied(path) for path in _CHANGEABLE]
    return mounts


def private_mounts(home: str, temporary: str) -> list[Mount]:
    """Return what every test has for itself, empty."""
    mounts = [
        Mount(
            destination="/proc",
            source="proc",
            type="proc",
            options=("nosuid", "nodev", "noexec"),
        ),
        Mount(
            destination="/dev/pts",
            source="devpts",
            type="devpts",
            options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        ),
        fresh("/dev/shm", "1777"),
        fresh("/tmp", "1777"),
        fresh("/var/tmp", "1777"),
        fresh("/run"),
    ]
    if temporary not in ("/tmp", "/var/tmp"):
        mounts.append(fresh(temporary, "1777"))
    if home != "/":
        mounts.append(fresh(home, "700"))
    return mounts
