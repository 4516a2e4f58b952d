"""Joining the cgroups of another process (cgroups(7)), for ``exec``."""

from __future__ import annotations

import errno
import os

from .errors import SetupError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cgroups.group import Cgroup


def join_cgroups(pid: int, cgroup: Cgroup | None) -> None:
    """Move the calling process into the cgroups of *pid*, in every hierarchy where they differ.

    *cgroup* is the container's own, in which every process of it has to be. Where there is none, an ordinary
    user may not be able to, and loses nothing: the container has no limits of its own then.
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
        directory = f"{mount_point}/{below.lstrip('/')}"
        try:
            with open(f"{directory}/cgroup.procs", "w") as file:
                file.write("0")
        except OSError as error:
            _join_otherwise(directory, cgroup, error)


def _join_otherwise(directory: str, cgroup: Cgroup | None, error: OSError) -> None:
    """Join where *error* has kept us out, if it is not right that it does."""
    refused = os.geteuid() != 0 and error.errno in (errno.EACCES, errno.EPERM)
    inside = cgroup is not None and any(
        f"{directory}/".startswith(f"{path}/") for path in cgroup.paths
    )
    if refused and not inside:
        return
    if refused and cgroup is not None and cgroup.unit:
        from .cgroups.systemd.unit import attach

        attach(cgroup.unit, directory)
        return
    call = f"write '0' to {directory}/cgroup.procs"
    hint = "this has to be called from where the container was created, or above" if refused else ""
    raise SetupError("cgroups", call, error.errno or 0, hint) from error


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
