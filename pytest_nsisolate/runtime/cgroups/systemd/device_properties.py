"""Device rules as DevicePolicy= and DeviceAllow= (systemd.resource-control(5)).

systemd knows only lists of what is allowed. On v2 our own program stays in force whatever systemd does, so
that rules for which there is no such list can be left to it. On v1 there is one list of the kernel's, which
systemd rewrites whenever it changes anything about the unit: what it does not know would be lost.
"""

from __future__ import annotations

from ...errors import UnsupportedError
from ..devices import complete, is_everything

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...resources import DeviceRule
    from .properties import Property

_KINDS = {"c": "char", "b": "block"}


def device_properties(
    rules: Sequence[DeviceRule], *, on_v1: bool, names: dict[tuple[str, int], str] | None = None
) -> list[Property]:
    """Return the properties. Raises UnsupportedError for what v1 would not keep.

    *names* are those of the drivers, by kind and major number; by default those of /proc/devices.
    """
    rules = complete(rules)
    # What stands before a rule about everything is of no account any more.
    base = max((i for i, rule in enumerate(rules) if is_everything(rule)), default=-1)
    denies_all = base >= 0 and not rules[base].allow
    rest = rules[base + 1 :]
    if any(not rule.allow for rule in rest):
        return _without_list(on_v1, "they deny again what was allowed")
    if not denies_all:
        return _properties("auto", [])
    drivers = _drivers() if names is None else names
    allowed: list[tuple[str, str]] = []
    for rule in rest:
        for kind in "cb" if rule.type == "a" else rule.type:
            name = _name(rule, kind, drivers)
            if not name:
                return _without_list(on_v1, "they allow devices for which it has no name")
            allowed.append((name, rule.access))
    return _properties("strict", allowed)


def _without_list(on_v1: bool, why: str) -> list[Property]:
    if on_v1:
        raise UnsupportedError(
            f"linux.resources.devices: {why}, and systemd would undo that on cgroup v1; "
            "use --cgroup-manager cgroupfs"
        )
    return _properties("auto", [])


def _properties(policy: str, allowed: list[tuple[str, str]]) -> list[Property]:
    # An empty list forgets what was allowed before; another one adds to it.
    found: list[Property] = [("DevicePolicy", ("s", policy)), ("DeviceAllow", ("a(ss)", []))]
    return [*found, ("DeviceAllow", ("a(ss)", allowed))] if allowed else found


def _name(rule: DeviceRule, kind: str, drivers: dict[tuple[str, int], str]) -> str:
    if rule.major is None:
        # "any device of this minor number" has no name.
        return f"{_KINDS[kind]}-*" if rule.minor is None else ""
    if rule.minor is not None:
        return f"/dev/{_KINDS[kind]}/{rule.major}:{rule.minor}"
    driver = drivers.get((kind, rule.major), "")
    return driver and f"{_KINDS[kind]}-{driver}"


def _drivers() -> dict[tuple[str, int], str]:
    """Return the names of /proc/devices: proc(5)."""
    found: dict[tuple[str, int], str] = {}
    kind = ""
    with open("/proc/devices", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) == 2 and words[0].isdecimal():
                found.setdefault((kind, int(words[0])), words[1])
            elif words:
                kind = line[:1].lower()
    return found
