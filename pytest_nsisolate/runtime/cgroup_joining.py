"""Joining the cgroups of another process (cgroups(7)), for ``exec``."""

from __future__ import annotations

import errno
import os

from .errors import SetupError


def join_cgroups(pid: int) -> None:
    """Move the calling process into the cgroups of *pid*, in every hierarchy where they differ.

    An ordinary user whose container is where its creator was may not be able to, and loses nothing: the
    container has no limits of its own then.
    """
    theirs, ours = _cgroups_of(str(pid)), _cgroups_of("self")
    if theirs == ours:
        return
    mounts = _mounts()
    for controllers, path in theirs.items():
        if ours.get(controllers) == path or controllers not in mounts:
            continue
        root, mount_point = mounts[controllers]
        below = path if root == "/" else path.removeprefix(root)
        procs = f"{mount_point}/{below.lstrip('/')}/cgroup.procs"
        try:
            with open(procs, "w") as file:
                file.write("0")
        except OSError as error:
            if os.geteuid() != 0 and error.errno in (errno.EACCES, errno.EPERM):
                continue
            raise SetupError("cgroups", f"write '0' to {procs}", error.errno or 0) from error


def _cgroups_of(pid: str) -> dict[str, str]:
    """Return the path in each hierarchy by its controllers, which for cgroup v2 are an empty string."""
    with open(f"/proc/{pid}/cgroup", errors="surrogateescape") as file:
        lines = (line.rstrip("\n").split(":", 2) for line in file)
        return {controllers: path for _number, controllers, path in lines}


def _mounts() -> dict[str, tuple[str, str]]:
    """Return root and mount point of each hierarchy."""
    found: dict[str, tuple[str, str]] = {}
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        for line in file:
            head, _dash, tail = line.partition(" - ")
            root, mount_point = head.split()[3:5]
            kind, _source, options = tail.split()[:3]
            if kind == "cgroup2":
                found.setdefault("", (root, mount_point))
            elif kind == "cgroup":
                for names in _controller_lists(options):
                    found.setdefault(names, (root, mount_point))
    return found


def _controller_lists(options: str) -> list[str]:
    """Return how /proc/PID/cgroup may name the hierarchy with these mount options."""
    words = [w for w in options.split(",") if w not in ("rw", "ro", "xattr", "none")]
    words = [w for w in words if not w.startswith(("release_agent=", "cpuset_v2_mode", "clone_"))]
    return [",".join(words), ",".join(reversed(words))]
