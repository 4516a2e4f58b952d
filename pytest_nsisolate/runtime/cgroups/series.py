"""Cgroups in series: one a program, made for it and removed after it, below parents of the series.

::

    v1   <the caller's own>/<series>/<number>         in each hierarchy with a controller that is needed
    v2   <beside the caller's own>/<series>/<number>  the series hands the controllers down

The parents are known before anything is made, so that somebody who outlives the caller can sweep them.
"""

from __future__ import annotations

import os

from ..errors import SetupError, UnsupportedError
from . import creation
from .group import HINT, NO_RIGHTS, Cgroup, read
from .locate import UNIFIED, Hierarchy, hierarchies
from .removal import remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..resources import Resources

#: Which field of the resources needs which controller; they have the same names on v1 and v2.
_CONTROLLERS = {"memory": "memory", "cpu": "cpu", "pids_limit": "pids"}
_STEP = "cgroups"


class Series:
    """A series of cgroups; *name* must be nobody else's."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._number = 0
        self._hierarchies = {c: _hierarchy_of(c) for c in _CONTROLLERS.values()}
        self._ready: set[str] = set()

    @property
    def parents(self) -> tuple[str, ...]:
        """Return the directories that the series may make its cgroups in."""
        found = [self._parent(h) for h in self._hierarchies.values() if h is not None]
        return tuple(dict.fromkeys(found))

    def _parent(self, hierarchy: Hierarchy) -> str:
        return hierarchy.directory("", self._name)

    @property
    def counts_swap(self) -> bool:
        """Tell whether a limit of memory and swap together can be set."""
        hierarchy = self._hierarchies["memory"]
        if hierarchy is None or hierarchy.version == 2:
            return True
        return os.path.exists(f"{hierarchy.mount_point}/memory.memsw.limit_in_bytes")

    def open(self, resources: Resources) -> Cgroup:
        """Make the next cgroup, with limits of memory, CPU and pids. Raises SetupError, UnsupportedError.

        Nothing is left of it then.
        """
        self._number += 1
        made: dict[str, str] = {}
        try:
            for controller, hierarchy in self._needed(resources).items():
                parent = self._parent(hierarchy)
                self._make_parent(hierarchy, parent)
                path = f"{parent}/{self._number}"
                if path not in made.values():
                    _make(path)
                made[controller if hierarchy.version == 1 else UNIFIED] = path
            cgroup = Cgroup(
                directories=tuple(made.items()), made=tuple(dict.fromkeys(made.values()))
            )
            cgroup.update(resources)
        except BaseException:
            for path in set(made.values()):
                os.rmdir(path)
            raise
        return cgroup

    def _needed(self, resources: Resources) -> dict[str, Hierarchy]:
        found = {}
        for field, controller in _CONTROLLERS.items():
            if getattr(resources, field) is None:
                continue
            hierarchy = self._hierarchies[controller]
            if hierarchy is None:
                raise UnsupportedError(
                    f"no cgroup controller {controller!r} is mounted below /sys/fs/cgroup, or handed "
                    f"down to the caller's cgroups\nhint: {HINT}"
                )
            found[controller] = hierarchy
        return found

    def _make_parent(self, hierarchy: Hierarchy, parent: str) -> None:
        if parent in self._ready:
            return
        try:
            creation.make_one(hierarchy, parent, [])
        except OSError as error:
            hint = HINT if error.errno in NO_RIGHTS else ""
            raise SetupError(_STEP, f"make {parent}", error.errno or 0, hint) from error
        if hierarchy.version == 2:
            creation.enable_controllers(parent)
        self._ready.add(parent)

    def sweep(self) -> None:
        """Remove every cgroup of the series, with what is still in it, and the parents."""
        sweep(self.parents)


def sweep(parents: Iterable[str]) -> None:
    """Remove the cgroups below *parents*, with what is still in them, and the parents."""
    for path in parents:
        if os.path.isdir(path):
            remove(Cgroup(directories=((path, path),), made=(path,)))


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o755)
    except OSError as error:
        raise SetupError(_STEP, f"mkdir {path}", error.errno or 0) from error


def _hierarchy_of(controller: str) -> Hierarchy | None:
    for hierarchy in hierarchies():
        if hierarchy.version == 1:
            if controller in hierarchy.controllers:
                return hierarchy
        else:
            # Where the series' parents are: beside the caller's own cgroup.
            beside = os.path.dirname(hierarchy.joined(hierarchy.own))
            above = max(beside, hierarchy.mount_point, key=len)
            if controller in read(f"{above}/cgroup.controllers").split():
                return hierarchy
    return None
