"""Pausing a container and letting it go on: the freezer of its cgroup."""

from __future__ import annotations

from ..errors import LifecycleError
from .state import CREATED, PAUSED, RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..cgroups.group import Cgroup
    from .state import State


def pause(state: State) -> None:
    """Stop every process of a container, whose directory is locked; return when they have stopped."""
    status = state.status()
    if status not in (CREATED, RUNNING):
        raise LifecycleError(
            f"container not running: {state.id!r} is {status}, and cannot be paused"
        )
    from ..cgroups.removal import freeze

    cgroup = cgroup_of(state, "pause")
    if cgroup.shared:
        raise LifecycleError(
            f"cannot pause container {state.id!r}: others were in its cgroup before it, {cgroup.shared[0]}"
        )
    freeze(cgroup)


def resume(state: State) -> None:
    """Let the processes of a paused container, whose directory is locked, go on."""
    status = state.status()
    if status != PAUSED:
        raise LifecycleError(f"container not paused: {state.id!r} is {status}")
    from ..cgroups.removal import thaw

    thaw(cgroup_of(state, "resume"))


def cgroup_of(state: State, verb: str) -> Cgroup:
    """Return the container's cgroup. Raises LifecycleError where it has none."""
    cgroup = state.kept().cgroup
    if cgroup is None:
        raise LifecycleError(
            f"cannot {verb} container {state.id!r}: it has no cgroup (that needs root, or a cgroup v2 that "
            "is delegated to the caller, and no --cgroup-manager disabled)"
        )
    return cgroup
