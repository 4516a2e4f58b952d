"""Where the cgroup hierarchies are, and where in them a container goes."""

from __future__ import annotations

import os

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

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
            return _joined(self.mount_point, cgroups_path)
        base = self.own if self.version == 1 else os.path.dirname(self.own)
        return _joined(self.mount_point, base, cgroups_path or container_id)


def _joined(*parts: str) -> str:
    return "/" + "/".join(
        word for part in parts for word in part.split("/") if word not in ("", ".")
    )


def hierarchies() -> tuple[Hierarchy, ...]:
    """Return the hierarchies that are mounted here; the unified one, if any, comes last."""
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        mountinfo = file.read()
    with open("/proc/self/cgroup", errors="surrogateescape") as file:
        own = file.read()
    found = parse(mountinfo, own)
    return tuple(_with_controllers(h) if h.version == 2 else h for h in found)


def _with_controllers(hierarchy: Hierarchy) -> Hierarchy:
    try:
        with open(f"{hierarchy.mount_point}/cgroup.controllers") as file:
            return hierarchy.replace(controllers=tuple(file.read().split()))
    except OSError:
        return hierarchy


def parse(mountinfo: str, own: str) -> tuple[Hierarchy, ...]:
    """Make hierarchies of the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    mounts = list(_cgroup_mounts(mountinfo.splitlines()))
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
            yield kind[0], _unescaped(fields[3]), _unescaped(fields[4]), kind[2].split(",")


def _is_below(path: str, root: str) -> bool:
    return root in ("/", path) or path.startswith(root + "/")


def _unescaped(field: str) -> str:
    # proc(5): space, tab, newline and backslash are written as octal escapes.
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
