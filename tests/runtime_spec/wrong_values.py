"""For each property of config.json, values that are wrong, and how the sentence about them has to be."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_nsisolate.runtime.spec.reader import show

from .complete import Config, complete_config, put, take, way_to, written
from .table import Field, config_fields

MISSING = object()

_WRONG_TYPES: dict[str, tuple[object, ...]] = {
    "string": (5, True, 1.5, [], {"a": 1}),
    "enum": (5, False, 1.5, ["x"], {}),
    "boolean": (0, 1, "true", "", [], {}),
    "integer": ("5", "", True, 1.5, float("nan"), [], {}),
    "array": ("", "x", 5, False, {}),
    "object": ("", "x", 5, False, []),
    "map": ("", "x", 5, False, ["a"]),
}
_WHAT_IS_RIGHT = {
    "string": "is not a string",
    "enum": "is not a string",
    "boolean": "is not true or false",
    "integer": "is not a whole number",
    "array": "is not an array",
    "object": "is not an object",
    "map": "is not an object",
}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A wrong *value* for a field, and what the sentence about it says besides the field's path.

    *error* is what is wrong with it: type, range, choice, missing, empty, relative, text.
    """

    field: Field
    error: str
    value: Any
    says: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it stands, as it is written in the sentence."""
        return written(way_to(self.field))

    def __str__(self) -> str:
        shown = "" if self.value is MISSING else f"={show(self.value)}"
        return f"{self.path}{shown} ({self.error})"

    def config(self) -> Config:
        """Return the complete config with this value in it."""
        if self.value is MISSING:
            return take(complete_config(), way_to(self.field))
        return put(complete_config(), way_to(self.field), self.value)


@functools.cache
def wrong_values() -> tuple[Wrong, ...]:
    """Return the wrong values of all fields of the runtime-spec that this platform has."""
    found: list[Wrong] = []
    for field in config_fields():
        if "refused" not in field.flags:
            found += [
                Wrong(field=field, error=error, value=value, says=says)
                for error, value, says in (*_of_any_kind(field), *_of_its_kind(field))
            ]
    return tuple(found)


Made = tuple[str, object, tuple[str, ...]]


def _of_any_kind(field: Field) -> Iterator[Made]:
    right = _WHAT_IS_RIGHT[field.kind]
    for value in _WRONG_TYPES[field.kind]:
        is_empty = "nonempty" in field.flags and value == []
        if not is_empty:
            yield "type", value, (_shown(value), right)
    if "required" in field.flags:
        yield "missing", MISSING, ("is required and missing",)
        yield "missing", None, ("is required and missing",)
    elif field.is_item:
        yield "type", None, ("null", right)


def _of_its_kind(field: Field) -> Iterator[Made]:
    required = "required" in field.flags
    if field.kind == "integer":
        between = f"is not between {field.low} and {field.high}"
        for number in (field.low - 1, field.high + 1, -(2**200), 2**200):
            yield "range", number, (_shown(number), between)
        yield "range", 10**5000, ("a number with too many digits", between)
    if field.kind in {"string", "enum"}:
        yield "text", "a\0b", (_shown("a\0b"),)
        yield "text", "a\ud800", (_shown("a\ud800"),)
    if field.kind == "enum":
        for word in ("nosuch", *(f"{choice} " for choice in field.choices[:1])):
            yield "choice", word, (_shown(word), "is not one of", *field.choices)
        if field.is_item:
            yield "choice", "", (_shown(""), "is not one of", *field.choices)
    if "absolute" in field.flags:
        for word in ("relative", "./x", "~/x"):
            yield "relative", word, (_shown(word), "is not an absolute path")
    is_text = field.kind in {"string", "enum"}
    if is_text and (field.flags & {"nonempty", "absolute"} or required):
        yield "empty", "", ("''",) if field.is_item else ("is required and empty",)
    if field.kind == "array" and "nonempty" in field.flags:
        yield "empty", [], ("empty",)


def _shown(value: object) -> str:
    text = (
        {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else repr(value)
    )
    return text if len(text) <= 60 else text[:57]
