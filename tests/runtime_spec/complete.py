"""A config.json that has every property of the spec in it, and ways to its values."""

from __future__ import annotations

import copy
import functools
from typing import Any

from ..unit.plans import whole_config
from .table import Field, Steps

Config = dict[str, Any]
#: The way to one value of one config: names of properties, keys of maps, and indexes of arrays.
Keys = tuple[str | int, ...]

_HOOK = {"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_THROTTLE = {"major": 8, "minor": 0, "rate": 600}


@functools.cache
def _complete() -> Config:
    config = whole_config()
    config["hooks"] = {kind: [copy.deepcopy(_HOOK)] for kind in _HOOKS}
    linux = config["linux"]
    linux["rootfsPropagation"] = "slave"
    config["process"]["scheduler"] |= {"nice": 0, "priority": 0}
    linux["timeOffsets"]["boottime"]["nanosecs"] = 0
    linux["intelRdt"] |= {"enableCMT": True, "enableMBM": True}
    linux["namespaces"].append(linux["namespaces"].pop(0) | {"path": "/proc/1/ns/pid"})
    for way in ("Read", "Write"):
        for kind in ("Bps", "IOPS"):
            linux["resources"]["blockIO"][f"throttle{way}{kind}Device"] = [dict(_THROTTLE)]
    return config


def complete_config() -> Config:
    """Return the config, for the caller to change.

    Only the labels are not in it, which not every kernel takes: they are put where there is nothing yet.
    """
    return copy.deepcopy(_complete())


def way_to(field: Field) -> Keys:
    """Return the way to a value of the field in the complete config, or to where it would be."""
    found = ways(_complete(), field.steps)
    if found:
        return found[0]
    last = field.steps[-1]
    return (*ways(_complete(), field.steps[:-1])[0], 0 if last == "[]" else last)


def ways(value: Any, steps: Steps) -> list[Keys]:
    """Return the ways to all values that *steps* lead to, from *value* on."""
    if not steps:
        return [()]
    first, rest = steps[0], steps[1:]
    entries: list[tuple[str | int, Any]] = []
    if first == "[]" and isinstance(value, list):
        entries = list(enumerate(value))
    elif first == "*" and isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, dict) and first in value:
        entries = [(first, value[first])]
    return [(key, *way) for key, inner in entries for way in ways(inner, rest)]


def written(keys: Keys) -> str:
    """Return the way as it is written in a sentence: ``linux.devices[0].major``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")


def put(config: Config, keys: Keys, value: object) -> Config:
    """Put a value where the way leads, which may be the end of an array; return the config."""
    parent = _parent(config, keys)
    if isinstance(parent, list) and keys[-1] == len(parent):
        parent.append(value)
    else:
        parent[keys[-1]] = value
    return config


def take(config: Config, keys: Keys) -> Config:
    """Take the value out that the way leads to; return the config."""
    del _parent(config, keys)[keys[-1]]
    return config


def _parent(config: Config, keys: Keys) -> Any:
    target: Any = config
    for key in keys[:-1]:
        target = target[key]
    return target
