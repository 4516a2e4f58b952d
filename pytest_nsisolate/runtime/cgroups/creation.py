"""Making the directories of a cgroup."""

from __future__ import annotations

import errno
import os

from ..errors import SetupError
from ..namespaces import host_id
from .group import HINT, NO_RIGHTS, Cgroup, read, write
from .locate import UNIFIED, Hierarchy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..plan import Plan

_STEP = "cgroups"
#: cgroups(7): what is handed to a container that manages its own cgroups.
_DELEGATED = "/sys/kernel/cgroup/delegate"
_DELEGATED_AT_LEAST = ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads")


def make(
    plan: Plan, found: Sequence[Hierarchy], container_id: str
) -> tuple[Cgroup, SetupError | None]:
    """Make the container's directories as far as the caller may.

    The error, if any, says which one could not be made; the caller decides whether it is needed.
    """
    directories: list[tuple[str, str]] = []
    made: list[str] = []
    refused = None
    try:
        for hierarchy in found:
            if _starves_real_time(plan, hierarchy):
                continue
            path = hierarchy.directory(plan.cgroups_path, container_id)
            try:
                make_one(hierarchy, path, made)
            except OSError as error:
                if error.errno not in NO_RIGHTS:
                    raise SetupError(_STEP, f"make {path}", error.errno or 0) from error
                refused = refused or SetupError(_STEP, f"make {path}", error.errno or 0, HINT)
                continue
            names = hierarchy.controllers if hierarchy.version == 1 else (UNIFIED,)
            directories += [(name, path) for name in names]
            delegate(plan, hierarchy, path)
        return Cgroup(directories=tuple(directories), made=tuple(made)), refused
    except BaseException:
        for path in made:
            try:
                os.rmdir(path)
            except OSError:
                pass
        raise


def planned(plan: Plan, found: Sequence[Hierarchy], container_id: str) -> Cgroup:
    """Return the cgroup that :func:`make` is going to make, for somebody who finds it half made.

    What is there already is not counted as made: others may be in it.
    """
    directories = [(h, h.directory(plan.cgroups_path, container_id)) for h in found]
    return Cgroup(
        directories=tuple(
            (h.controllers[0] if h.version == 1 else UNIFIED, p) for h, p in directories
        ),
        made=tuple(missing for _hierarchy, path in directories for missing in _missing(path)),
    )


def _missing(path: str) -> Iterator[str]:
    """Yield *path* and those above it that are not there, the deepest first."""
    while not os.path.isdir(path):
        yield path
        path = os.path.dirname(path)


def _starves_real_time(plan: Plan, hierarchy: Hierarchy) -> bool:
    """Tell whether a new cgroup there would keep the process from the real-time policy that it asks for.

    On v1 it begins without any realtimeRuntime, and takes no real-time process before it has some.
    """
    if hierarchy.version == 2 or "cpu" not in hierarchy.controllers or plan.process is None:
        return False
    scheduler = plan.process.scheduler
    asks_for_limits = plan.resources is not None and plan.resources.cpu is not None
    real_time = scheduler is not None and scheduler.policy in ("SCHED_FIFO", "SCHED_RR")
    return real_time and not asks_for_limits


def make_one(hierarchy: Hierarchy, path: str, made: list[str]) -> None:
    """Make *path* with its parents, prepared for the children; prepend what was made to *made*."""
    here = hierarchy.mount_point
    for name in path[len(here) :].strip("/").split("/"):
        if hierarchy.version == 2:
            enable_controllers(here)
        here = f"{here}/{name}"
        try:
            os.mkdir(here, 0o755)
            made.insert(0, here)
        except FileExistsError:
            pass
        if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
            _inherit_cpuset(here)
    if not os.access(f"{here}/cgroup.procs", os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), here)
    _check_fit(here, made)


def _check_fit(path: str, made: list[str]) -> None:
    """Refuse a cgroup that was there and is frozen; take one with nobody in it for the container's own."""
    if made and made[0] == path:
        return
    frozen = read(f"{path}/freezer.state").strip() or read(f"{path}/cgroup.freeze").strip()
    if frozen in ("FROZEN", "FREEZING", "1"):
        call = f"linux.cgroupsPath: container's cgroup unexpectedly frozen: {path}"
        raise SetupError(_STEP, call)
    # Below it, too: what is in a container's own cgroup is killed at the container's end.
    if not any(read(f"{below}/cgroup.procs").split() for below, _names, _files in os.walk(path)):
        made.insert(0, path)


def enable_controllers(directory: str, names: Sequence[str] = ()) -> None:
    """Give the children of *directory* every controller that they can have, or those of *names*.

    What cannot be enabled (another one's rights, processes in the way) is found out when a limit needs it.
    """
    there = read(f"{directory}/cgroup.controllers").split()
    enabled = read(f"{directory}/cgroup.subtree_control").split()
    for name in there:
        if name not in enabled and (name in names or not names):
            try:
                write(f"{directory}/cgroup.subtree_control", f"+{name}", "")
            except SetupError:
                continue


def _inherit_cpuset(directory: str) -> None:
    # A new cpuset of v1 is empty, and an empty one takes no processes.
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not read(f"{directory}/{name}").strip():
            value = read(f"{os.path.dirname(directory)}/{name}").strip()
            if value:
                write(f"{directory}/{name}", value, "")


def delegate(plan: Plan, hierarchy: Hierarchy, path: str) -> None:
    """Give a v2 cgroup to the container's user, where it may manage it.

    That is with a cgroup namespace of its own and a writable /sys/fs/cgroup (config-linux.md, "Cgroup
    ownership").
    """
    if hierarchy.version == 1 or not plan.creates("cgroup") or plan.process is None:
        return
    if not any(
        mount.source == "cgroup"
        and mount.destination.rstrip("/") == "/sys/fs/cgroup"
        and "ro" not in mount.options
        for mount in plan.mounts
    ):
        return
    uid = host_id(plan.uid_mappings, plan.process.user.uid)
    if uid == os.geteuid():
        return
    for name in (".", *(read(_DELEGATED).split() or _DELEGATED_AT_LEAST)):
        try:
            os.chown(f"{path}/{name}", uid, -1)
        except FileNotFoundError:
            continue
