"""Typed reading of JSON, with the path of the offending field in every error."""

from __future__ import annotations

from ..errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, TypeVar

    T = TypeVar("T")

UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1
INT64_MAX = 2**63 - 1
#: The highest id of a user or group: for the kernel the one above is "no change", -1.
ID_MAX = UINT32_MAX - 1

#: As the file has them.
_WORDS = {None: "null", True: "true", False: "false"}


def show(value: object) -> str:
    """Return *value* for a sentence, shortened."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    try:
        text = repr(value)
    except ValueError:
        return "a number with too many digits"
    except RecursionError:
        return "a deeply nested value"
    return text if len(text) <= 60 else text[:57] + "..."


class Reader:
    """A JSON object and where it stands in the file.

    A key that is absent, or null, gives the default. Unknown keys are never looked at: the spec says
    that they are ignored (config.md, "Extensibility").
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict):
            raise SpecError(path or "config.json", f"{show(value)} is not an object")
        self._value: dict[str, object] = value
        self.path = path

    def field(self, key: str) -> str:
        """Return the path of *key*."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, problem: str) -> SpecError:
        """Return the error that says what is wrong with *key*."""
        return SpecError(self.field(key), problem)

    def has(self, key: str) -> bool:
        """Tell whether *key* has a value that is not null."""
        return self._value.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return the value of *key* as it is, or None."""
        return self._value.get(key)

    def names(self, *, nameless: bool = False) -> list[str]:
        """Return the keys of a map, sorted: names that the kernel can take, not empty but with *nameless*."""
        for name in self._value:
            if flaw := _flaw(name) if name or nameless else "is empty":
                raise SpecError(self.path, f"the name {show(name)} in it {flaw}")
        return sorted(self._value)

    def object(self, key: str) -> Reader:
        """Return the object under *key*; an absent one is empty."""
        value = self._value.get(key)
        return Reader({} if value is None else value, self.field(key))

    def entry(self, name: str) -> Reader:
        """Return the object that a map has under one of its :meth:`names`."""
        return Reader(self._value[name], self.field(name))

    def array(self, key: str, item: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Return the array under *key*, each entry made by *item*, which also gets its path."""
        value = self._value.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(key, f"{show(value)} is not an array")
        return tuple(item(entry, f"{self.field(key)}[{i}]") for i, entry in enumerate(value))

    def string(self, key: str, default: str = "") -> str:
        """Return the string under *key*."""
        value = self._value.get(key)
        return default if value is None else a_string(value, self.field(key))

    def strings(self, key: str) -> tuple[str, ...]:
        """Return the array of strings under *key*."""
        return self.array(key, a_string)

    def string_map(self, key: str, *, nameless: bool = False) -> tuple[tuple[str, str], ...]:
        """Return the object of strings under *key*, as sorted pairs; *nameless* as for names."""
        reader = self.object(key)
        names = reader.names(nameless=nameless)
        return tuple((name, a_string(reader.raw(name), reader.field(name))) for name in names)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return the boolean under *key*."""
        value = self._value.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, f"{show(value)} is not true or false")
        return value

    def required_string(self, key: str) -> str:
        """Return the string under *key*, which must be there, and not empty."""
        self.required(key)
        value = self.string(key)
        if not value:
            raise self.wrong(key, "is required and empty")
        return value

    def choice(self, key: str, choices: Collection[str]) -> str:
        """Return the string under *key*, which must be one of *choices*, or absent or empty."""
        value = self.string(key)
        return value and a_choice(value, self.field(key), choices)

    def required_choice(self, key: str, choices: Collection[str]) -> str:
        """Return the string under *key*, which must be one of *choices*."""
        return a_choice(self.required_string(key), self.field(key), choices)

    def choices(self, key: str, choices: Collection[str]) -> tuple[str, ...]:
        """Return the array of strings under *key*, each one of *choices*."""
        return self.array(key, lambda value, path: a_choice(value, path, choices))

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        """Return the whole number under *key*, between *low* and *high*."""
        value = self._value.get(key)
        return default if value is None else an_integer(value, self.field(key), low, high)

    def uint32(self, key: str, default: int = 0) -> int:
        """Return the unsigned 32-bit number under *key*."""
        return self.integer(key, 0, UINT32_MAX, default)

    def id(self, key: str) -> int:
        """Return the id of a user or group under *key*; 0 if there is none."""
        return self.integer(key, 0, ID_MAX, 0)

    def required(self, *keys: str) -> None:
        """Refuse an absent one of *keys*."""
        for key in keys:
            if not self.has(key):
                raise self.wrong(key, "is required and missing")


def a_string(value: object, path: str) -> str:
    """Return *value* if it is a string that the kernel can take."""
    if not isinstance(value, str):
        raise SpecError(path, f"{show(value)} is not a string")
    if flaw := _flaw(value):
        raise SpecError(path, f"{show(value)} {flaw}")
    return value


def _flaw(text: str) -> str:
    """Return why the kernel cannot take *text*, or an empty string."""
    if "\0" in text:
        return "has a NUL character in it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half of a surrogate pair in it"
    return ""


def a_choice(value: object, path: str, choices: Collection[str]) -> str:
    """Return *value* if it is one of *choices*."""
    text = a_string(value, path)
    if text not in choices:
        known = ", ".join(choices) or "those that are supported: there are none"
        raise SpecError(path, f"{show(text)} is not one of {known}")
    return text


def an_integer(value: object, path: str, low: int, high: int) -> int:
    """Return *value* if it is a whole number between *low* and *high*."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError(path, f"{show(value)} is not a whole number")
    if not low <= value <= high:
        raise SpecError(path, f"{show(value)} is not between {low} and {high}")
    return value


def an_id(value: object, path: str) -> int:
    """Return *value* if it is the id of a user or group."""
    return an_integer(value, path, 0, ID_MAX)


def absolute(value: object, path: str) -> str:
    """Return *value* if it is an absolute path."""
    text = a_string(value, path)
    if not text.startswith("/"):
        raise SpecError(path, f"{show(text)} is not an absolute path")
    return text


def env_entry(value: object, path: str) -> str:
    """Return *value* if it is a variable and its value."""
    entry = a_string(value, path)
    if entry.find("=") < 1:
        raise SpecError(path, f"{show(entry)} is not NAME=value")
    return entry
