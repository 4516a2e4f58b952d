"""The tables of the runtime-spec's properties: ``config_fields.txt`` and ``features_fields.txt``."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

_HERE = Path(__file__).parent
_INTEGERS = {
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_FLAGS = ("required", "run", "nonempty", "absolute", "refused")

#: A step of a path: a property's name, ``[]`` for an item of an array, ``*`` for an entry of a map.
Steps = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Field:
    """A property: its *path* as in the table, and what is right for it.

    *newer_choices* are those of *choices* that the property itself is older than, with their versions.
    """

    path: str
    kind: str
    flags: frozenset[str] = frozenset()
    choices: tuple[str, ...] = ()
    newer_choices: tuple[tuple[str, str], ...] = ()
    low: int = 0
    high: int = 0
    since: str = ""
    until: str = ""

    def __str__(self) -> str:
        return self.path

    @property
    def steps(self) -> Steps:
        """The path, step by step."""
        return steps(self.path)

    @property
    def is_item(self) -> bool:
        """Tell whether it is an item of an array, or an entry of a map."""
        return self.path.endswith(("[]", "*"))


def belongs_to(field: Field, spec_version: str) -> bool:
    """Tell whether a version of the spec has the property."""
    wanted = version(spec_version)
    if field.until and wanted[: len(version(field.until))] > version(field.until):
        return False
    return not field.since or version(field.since) <= wanted


def choices_of(field: Field, spec_version: str) -> set[str]:
    """Return the words that a version of the spec has for the property."""
    newer = {w for w, since in field.newer_choices if version(since) > version(spec_version)}
    return set(field.choices) - newer


def steps(path: str) -> Steps:
    """Return the steps of a path."""
    return tuple(path.replace("[]", ".[]").split("."))


def version(text: str) -> tuple[int, ...]:
    """Return a version, to be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("-")[0].partition("+")[0]))


@functools.cache
def config_fields() -> tuple[Field, ...]:
    """Return the properties of config.json."""
    return _read("config_fields.txt")


@functools.cache
def features_fields() -> tuple[Field, ...]:
    """Return the properties of what ``features`` prints."""
    return _read("features_fields.txt")


def _read(name: str) -> tuple[Field, ...]:
    found: list[Field] = []
    for line in (_HERE / name).read_text().splitlines():
        if line and not line.startswith("#"):
            path, kind, *details = line.split()
            found += [_field(name, kind, details) for name in _expand(path)]
    return tuple(found)


def _expand(path: str) -> list[str]:
    """Return the path once for each word of each ``{a,b}`` in it."""
    parts = re.split(r"\{([^}]*)\}", path)
    words = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*words)]


def _field(path: str, kind: str, details: list[str]) -> Field:
    flags: set[str] = set()
    choices: list[str] = []
    low = high = 0
    versions = {"since": "", "until": ""}
    for detail in details:
        name, equals, value = detail.partition("=")
        if detail in _FLAGS:
            flags.add(detail)
        elif equals:
            versions[name] = value
        elif kind == "integer":
            low, high = _INTEGERS.get(detail) or _range(detail)
        else:
            choices.append(detail)
    words = [choice.partition("@") for choice in choices]
    return Field(
        path=path,
        kind=kind,
        flags=frozenset(flags),
        choices=tuple(word for word, _at, _version in words),
        newer_choices=tuple((word, version) for word, at, version in words if at),
        low=low,
        high=high,
        **versions,
    )


def _range(text: str) -> tuple[int, int]:
    low, high = text.split("..")
    return int(low), int(high)
