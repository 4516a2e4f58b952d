"""Where the cgroup hierarchies are, and where in them a container goes."""

from __future__ import annotations

import os

from ..errors import LifecycleError
from ..mounts.mountinfo import unescaped
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: A cgroup of v2 has no name in /proc/self/cgroup; this is ours for its hierarchy.
UNIFIED = ""


class Hierarchy(Record):
    """A mounted hierarchy: *version* 1 or 2, and *own*, the caller's cgroup below *mount_point*."""

    version: int
    mount_point: str
    controllers: tuple[str, ...]
    own: str

    def directory(self, cgroups_path: str, container_id: str) -> str:
        """Return the container's directory.

        An absolute cgroupsPath is below the mount point. A relative one, and the default, which is
        the container's id, are below the caller's own cgroup, so that the caller's limits hold for the
        container too; on v2 they are beside it, because there a cgroup with processes has no children
        with controllers (cgroups(7), "no internal processes").
        """
        if cgroups_path.startswith("/"):
            return self.joined(cgroups_path)
        base = self.own if self.version == 1 else os.path.dirname(self.own)
        return self.joined(base, cgroups_path or container_id)

    def joined(self, *parts: str) -> str:
        """Return the directory of a path below the mount point."""
        return "/" + "/".join(
            word
            for part in (self.mount_point, *parts)
            for word in part.split("/")
            if word not in ("", ".")
        )


def hierarchies(pid: str = "self") -> tuple[Hierarchy, ...]:
    """Return the hierarchies that are mounted here; the unified one, if any, comes last.

    *own* of each is the cgroup of *pid*. Raises LifecycleError if that process has ended.
    """
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        mountinfo = file.read()
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            own = file.read()
    except (FileNotFoundError, ProcessLookupError):
        raise LifecycleError("the container has just stopped") from None
    found = parse(mountinfo, own, _is_uncovered)
    return tuple(_with_controllers(h) if h.version == 2 else h for h in found)


def _with_controllers(hierarchy: Hierarchy) -> Hierarchy:
    try:
        with open(f"{hierarchy.mount_point}/cgroup.controllers", encoding="utf-8") as file:
            return hierarchy.replace(controllers=tuple(file.read().split()))
    except OSError:
        return hierarchy


def _is_uncovered(mount_point: str) -> bool:
    # Another mount above it may hide a hierarchy, as where somebody binds v2's over all others.
    return os.path.exists(f"{mount_point}/cgroup.procs")


def parse(
    mountinfo: str, own: str, is_usable: Callable[[str], bool] = lambda _path: True
) -> tuple[Hierarchy, ...]:
    """Make hierarchies of the texts of /proc/self/mountinfo and /proc/self/cgroup.

    *is_usable* tells whether what is mounted on a path can be reached there.
    """
    mounts = [m for m in _cgroup_mounts(mountinfo.splitlines()) if is_usable(m[2])]
    found: list[Hierarchy] = []
    unified: list[Hierarchy] = []
    for line in own.splitlines():
        _number, controllers, path = line.split(":", 2)
        names = tuple(controllers.split(",")) if controllers else ()
        for fstype, root, mount_point, options in mounts:
            if fstype == ("cgroup" if names else "cgroup2") and set(names) <= set(options):
                below = path[len(root.rstrip("/")) :] if _is_below(path, root) else "/"
                hierarchy = Hierarchy(
                    version=1 if names else 2,
                    mount_point=mount_point,
                    controllers=names,
                    own=below or "/",
                )
                (found if names else unified).append(hierarchy)
                break
    return (*found, *unified)


def _cgroup_mounts(lines: Iterable[str]) -> Iterable[tuple[str, str, str, list[str]]]:
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(kind) > 2 and kind[0] in ("cgroup", "cgroup2"):
            yield kind[0], unescaped(fields[3]), unescaped(fields[4]), kind[2].split(",")


def _is_below(path: str, root: str) -> bool:
    return root in ("/", path) or path.startswith(root + "/")
