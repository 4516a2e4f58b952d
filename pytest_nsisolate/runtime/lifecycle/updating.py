"""``update``: other limits for a container that is there."""

from __future__ import annotations

from ..errors import LifecycleError
from ..spec.config import parse_stored
from ..spec.decoding import decode, encode
from .pausing import cgroup_of
from .signalling import processes
from .state import STOPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..cgroups.group import Cgroup
    from ..execution.records import IntelRdt
    from ..resources import DeviceRule, Resources
    from .state import Directory, State


def update(directory: Directory, resources: Resources | None, schemata: IntelRdt | None) -> None:
    """Apply *resources* and *schemata* to a container, whose directory is locked.

    What they do not mention stays as it is. Raises LifecycleError, SetupError and UnsupportedError.
    """
    state = directory.load()
    if state.status() == STOPPED:
        raise LifecycleError(f"container not running: {state.id!r} is {STOPPED}")
    if schemata is not None:
        state = _update_class(state, schemata)
        directory.save(state)
    if resources is None:
        return
    from ..cgroups.change import change

    cgroup = cgroup_of(state, "update")
    change(cgroup, resources)
    if resources.devices and resources.devices != _device_rules(directory, state):
        _replace_devices(cgroup, resources)
        directory.save(state.replace(device_rules=_as_json(resources)))


def _update_class(state: State, schemata: IntelRdt) -> State:
    """Change the container's class of service, or make it one; return what is known of it then."""
    from .. import resctrl

    kept = state.kept()
    if kept.class_of_service is not None:
        kept.class_of_service.change(schemata)
        return state
    made = resctrl.prepare(schemata, state.id)
    try:
        made.take(processes(state))
    except BaseException:
        made.remove()
        raise
    kept.class_of_service = made
    return state.replace(groups=kept.groups())


def _device_rules(directory: Directory, state: State) -> tuple[DeviceRule, ...]:
    """Return the device rules that the container was given last.

    Clients send those that they know along with every other change, and what somebody else has allowed
    since then (a GPU's hook) is to stay.
    """
    if not state.device_rules:
        plan = parse_stored(directory.config(), state.bundle)
        return plan.resources.devices if plan.resources is not None else ()
    from ..spec.reader import Reader
    from ..spec.resources import read_device_rule

    kept = Reader({"devices": decode(state.device_rules.encode())})
    return kept.array("devices", read_device_rule)


def _as_json(resources: Resources) -> str:
    from ..spec.writer_resources import resources_config

    config = resources_config(type(resources)(devices=resources.devices)) or {}
    return encode(config["devices"])


def _replace_devices(cgroup: Cgroup, resources: Resources) -> None:
    """Put device rules in force. On v1 they are written line by line, so nobody runs meanwhile."""
    from ..cgroups.removal import freeze, is_frozen, thaw

    only = type(resources)(devices=resources.devices)
    if cgroup.directory("devices") is None or is_frozen(cgroup):
        cgroup.update(only)
        return
    freeze(cgroup)
    try:
        cgroup.update(only)
    finally:
        thaw(cgroup)
