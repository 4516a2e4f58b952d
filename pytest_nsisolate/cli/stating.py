"""A container's state as ``state`` and ``list`` print it: the spec's fields, and runc's."""

from __future__ import annotations

from ..runtime.lifecycle.state import STOPPED
from ..runtime.plan import SPEC_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.lifecycle.state import State


def describe(state: State) -> dict[str, object]:
    """Return the state; one that has stopped has no pid any more."""
    status = state.status()
    described: dict[str, object] = {
        "ociVersion": SPEC_VERSION,
        "id": state.id,
        "pid": 0 if status == STOPPED else state.pid,
        "status": status,
        "bundle": state.bundle,
        "rootfs": state.rootfs,
        "created": state.created,
        "owner": owner_name(state.owner_uid),
    }
    if state.annotations:
        described["annotations"] = dict(state.annotations)
    return described


def owner_name(uid: int) -> str:
    """Return the user's name, or the number where there is none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
