"""Reading a verb's arguments."""

from __future__ import annotations

from ..runtime.errors import NsisolateError


class UsageError(NsisolateError):
    """A command line that cannot be understood."""


class HelpRequested(Exception):
    """``--help`` was among the arguments."""


def read(
    argv: list[str],
    *,
    flags: tuple[str, ...] = (),
    options: tuple[str, ...] = (),
    most: int,
) -> tuple[dict[str, str], list[str]]:
    """Return the options given and the positional arguments, *most* of them at the most.

    *flags* take no value (theirs is "1"), *options* take one, as ``--name VALUE`` or
    ``--name=VALUE``. A bare ``--`` ends the options. Raises UsageError and HelpRequested.
    """
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
            continue
        name, equals, value = word.partition("=")
        if name in flags:
            if equals:
                raise UsageError(f"{name} takes no value, and got {value!r}")
            given[name] = "1"
        elif name in options:
            if not equals:
                if not rest:
                    raise UsageError(f"{name} needs a value")
                value = rest.pop(0)
            given[name] = value
        else:
            raise UsageError(f"unknown option {name!r}; --help lists them")
    if len(positional) > most:
        raise UsageError(f"too many arguments: {' '.join(positional[most:])!r} is not expected")
    return given, positional
