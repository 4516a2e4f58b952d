"""Starting a container's scope, and its directories."""

from __future__ import annotations

import _signal
import os

from ...caller import is_machine_root
from ...errors import SetupError
from ..creation import delegate, enable_controllers, make_one
from ..group import HINT, NO_RIGHTS, Cgroup
from ..locate import UNIFIED, hierarchies
from .annotations import read_properties
from .bus import Systemd
from .scope import Scope, read_scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...plan import Plan
    from ...resources import Resources
    from ..locate import Hierarchy
    from .properties import Property

_STEP = "cgroups"
#: Controllers that systemd knows nothing of, and leaves as they are.
_NOT_SYSTEMDS = ("hugetlb", "rdma", "misc")


def make(plan: Plan, container_id: str, member: int) -> tuple[Cgroup, SetupError | None]:
    """Start the scope with the process *member* in it.

    The error, if any, is about a directory that could not be made, as with cgroups/creation.py.
    """
    scope = read_scope(plan, container_id)
    asked = read_properties(plan.annotations)
    with Systemd() as systemd:
        systemd.start_scope(scope.unit, [*_properties(scope, container_id, member), *asked])
    made: list[str] = []
    try:
        return _directories(plan, scope, member, made)
    except BaseException:
        from ..removal import remove

        os.kill(member, _signal.SIGKILL)  # it is deaf to systemd's SIGTERM
        remove(Cgroup(directories=(), made=tuple(made), unit=scope.unit))
        raise


def _properties(scope: Scope, container_id: str, member: int) -> list[Property]:
    slice_name = scope.slice or ("system.slice" if is_machine_root() else "user.slice")
    found: list[Property] = [
        ("Description", ("s", f"container {container_id} (nsisolate)")),
        ("Slice", ("s", slice_name)),
        ("PIDs", ("au", [member])),
        # What is below the scope, and what systemd has no property for, is ours.
        ("Delegate", ("b", True)),
        ("DefaultDependencies", ("b", False)),
    ]
    for name in ("CPU", "IO", "Memory", "Tasks"):
        found.append((f"{name}Accounting", ("b", True)))
    return found


def _directories(
    plan: Plan, scope: Scope, member: int, made: list[str]
) -> tuple[Cgroup, SetupError | None]:
    found = hierarchies(str(member))
    below = _place(found, scope.unit)
    directories: list[tuple[str, str]] = []
    refused = None
    for hierarchy in found:
        path = f"{hierarchy.mount_point.rstrip('/')}{below}"
        if hierarchy.own != below:
            # One of v1 that systemd does not use, or not for this user.
            try:
                make_one(hierarchy, path, made)
            except OSError as error:
                if error.errno not in NO_RIGHTS:
                    raise SetupError(_STEP, f"make {path}", error.errno or 0) from error
                refused = refused or SetupError(_STEP, f"make {path}", error.errno or 0, HINT)
                continue
        if hierarchy.version == 2:
            _enable_what_systemd_does_not(plan.resources, hierarchy.mount_point, below)
        delegate(plan, hierarchy, path)
        names = hierarchy.controllers if hierarchy.version == 1 else (UNIFIED,)
        directories += [(name, path) for name in names]
    return Cgroup(directories=tuple(directories), made=tuple(made), unit=scope.unit), refused


def _place(found: Sequence[Hierarchy], unit: str) -> str:
    """Return where systemd has put the scope, below each mount point."""
    for hierarchy in found:
        # A name that could be a file's of the kernel begins with an underscore there.
        its_own = hierarchy.own.rpartition("/")[2] in (unit, f"_{unit}")
        if its_own and (hierarchy.version == 2 or "name=systemd" in hierarchy.controllers):
            return hierarchy.own
    raise SetupError(_STEP, f"systemd has put {unit} where its cgroup is not to be seen from here")


def _enable_what_systemd_does_not(resources: Resources | None, top: str, below: str) -> None:
    """Hand those controllers down to the scope that it needs and systemd does not care about."""
    if resources is None:
        return
    wanted = {name.partition(".")[0] for name, _value in resources.unified}
    wanted |= {"hugetlb"} if resources.hugepage_limits else set()
    wanted |= {"rdma"} if resources.rdma else set()
    names = [name for name in _NOT_SYSTEMDS if name in wanted]
    here = top
    for word in os.path.dirname(below).split("/"):
        here = f"{here}/{word}" if word else here
        if names:
            enable_controllers(here, names)
