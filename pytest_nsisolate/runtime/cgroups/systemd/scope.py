"""Which scope a container is: ``linux.cgroupsPath`` as systemd's managers of containers have it."""

from __future__ import annotations

from ...errors import SpecError
from ...record import Record
from ...spec.reader import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...plan import Plan

_FIELD = "linux.cgroupsPath"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: systemd.unit(5): what a unit's name may be made of, and how long it may be.
_VALID = frozenset(_LETTERS + "0123456789:-_.\\@")
_LONGEST = 255


class Scope(Record):
    """A unit and the slice that it is in; an empty *slice* is the default one."""

    unit: str
    slice: str = ""


def read_scope(plan: Plan, container_id: str) -> Scope:
    """Return the container's scope. Raises SpecError for a cgroupsPath of another form."""
    path = plan.cgroups_path
    if not path:
        return Scope(unit=f"nsisolate-{_escaped(container_id)}.scope")
    parts = path.split(":")
    if len(parts) != 3:
        raise _wrong(path, "is not of systemd's form slice:prefix:name")
    slice_name, prefix, name = parts
    if slice_name and not _is_slice(slice_name):
        raise _wrong(path, f"{slice_name!r} is not the name of a slice, such as 'machine.slice'")
    if name.endswith(".slice"):
        raise _wrong(path, "asks for a slice, and a container is a scope")
    unit = f"{prefix}-{name}.scope"
    if not name or not _is_valid(unit):
        raise _wrong(path, f"{unit!r} is not the name of a unit (systemd.unit(5))")
    return Scope(unit=unit, slice=slice_name)


def _wrong(path: str, problem: str) -> SpecError:
    return SpecError(_FIELD, f"{show(path)}: {problem}")


def _is_valid(unit: str) -> bool:
    return len(unit) <= _LONGEST and _VALID.issuperset(unit)


def _is_slice(name: str) -> bool:
    """Tell whether *name* is a slice's: its dashes are the path (systemd.slice(5))."""
    stem = name.removesuffix(".slice")
    return (
        stem != name and _is_valid(name) and (stem == "-" or all(part for part in stem.split("-")))
    )


def _escaped(container_id: str) -> str:
    # Of what an id may hold, only this may not be in a unit's name: systemd-escape(1).
    return container_id.replace("+", "\\x2b")
