"""Reading a verb's arguments."""

from __future__ import annotations

from ..runtime.errors import NsisolateError

_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class UsageError(NsisolateError):
    """A command line that cannot be understood."""


class HelpRequested(Exception):
    """``--help`` was among the arguments."""


def read(
    argv: list[str],
    *,
    flags: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    repeated: dict[str, list[str]] | None = None,
    most: int,
    command_after: int | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return the options given and the positional arguments, *most* of them at the most.

    *flags* are there or not (theirs is "1"; ``--name=false`` is not), *options* take a value, as ``--name
    VALUE`` or ``--name=VALUE``; those of *repeated* append theirs to its lists. Short flags may stand
    together, as ``-dt``. A bare ``--`` ends the options, and so do *command_after* positional arguments:
    what follows is somebody else's command line. Raises UsageError and HelpRequested.
    """
    lists = repeated or {}
    given: dict[str, str] = {}
    positional: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            positional += rest
            break
        if word in ("--help", "-h"):
            raise HelpRequested
        if not word.startswith("-") or word == "-":
            positional.append(word)
            if len(positional) == command_after:
                positional += rest[1:] if rest[:1] == ["--"] else rest
                break
            continue
        together = _together(word, flags)
        if together:
            given |= together
            continue
        name, value = _option(word, rest, flags, (*options, *lists))
        if name in lists:
            lists[name].append(value)
        elif name in flags and not value:
            given.pop(name, None)
        else:
            given[name] = value
    if len(positional) > most:
        raise UsageError(f"too many arguments: {' '.join(positional[most:])!r} is not expected")
    return given, positional


def _together(word: str, flags: tuple[str, ...]) -> dict[str, str]:
    """Return the flags of a word such as ``-dt``, or nothing if it is no such word."""
    found = {f"-{letter}": "1" for letter in word[1:]}
    return found if len(word) > 2 and all(name in flags for name in found) else {}


def _option(
    word: str, rest: list[str], flags: tuple[str, ...], options: tuple[str, ...]
) -> tuple[str, str]:
    """Return the name and the value of the option *word*; the value may be the first of *rest*."""
    name, equals, value = word.partition("=")
    if name in flags:
        if equals and value.lower() not in _TRUE + _FALSE:
            raise UsageError(f"{name}: {value!r} is neither true nor false")
        return name, "" if equals and value.lower() in _FALSE else "1"
    if name not in options:
        raise UsageError(f"unknown option {name!r}; --help lists them")
    if not equals:
        if not rest:
            raise UsageError(f"{name} needs a value")
        value = rest.pop(0)
    return name, value


def first(given: dict[str, str], *names: str, default: str = "") -> str:
    """Return the value of an option that has several *names*."""
    for name in names:
        if name in given:
            return given[name]
    return default


def required_id(positional: list[str], verb: str) -> str:
    """Return the container's id, which is the first positional argument."""
    if not positional:
        raise UsageError(f"`nsisolate {verb}` needs the ID of a container; --help tells more")
    return positional[0]


def whole_number(given: dict[str, str], name: str) -> int:
    """Return the value of an option that is a number, 0 or more; 0 if it is not given."""
    value = given.get(name, "0")
    if not value.isdecimal() or not value.isascii() or len(value) > 9:
        raise UsageError(f"{name}: {value!r} is not a number")
    return int(value)
