"""JSON without the ``json`` package, whose import costs more than a container."""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WHITESPACE = " \t\n\r"


class TwiceError(ValueError):
    """A name that is there twice in one object, at *path*: one of the values would not count."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is there twice")
        self.path = path


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TwiceError(next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i])))
    return found


class _Settings:
    """What the scanner asks of a JSONDecoder: the defaults, in plain Python types."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_object)
    parse_float = float
    parse_int = int
    parse_constant = float  # NaN and the infinities, by their names


def decode(raw: bytes) -> object:
    """Return what ``json.loads`` does, and raise what it raises; and TwiceError.

    What is not plain, correct UTF-8 JSON goes to the real one, for its encodings and its errors.
    """
    try:
        text = raw.decode().strip(_WHITESPACE)
        # The stub asks for a scanner where the scanner asks for a decoder's settings.
        scan: Callable[[str, int], tuple[object, int]]
        scan = _json.make_scanner(_Settings)  # type: ignore[arg-type]
        value, end = scan(text, 0)
        if end == len(text):
            return value
    except (ValueError, StopIteration, RecursionError, SystemError):
        # SystemError: the scanner wants to raise an exception of a package that is not there.
        pass
    return _decode_slowly(raw)


def _decode_slowly(raw: bytes) -> object:
    import json

    if not raw.strip():
        raise ValueError("it is empty")
    try:
        value: object = json.loads(raw, parse_int=_integer, object_pairs_hook=_object)
    except TwiceError:
        # The hook sees an object from the inside; this is the way to it.
        raise TwiceError(_first_twice(json.loads(raw, object_pairs_hook=_Pairs))) from None
    except RecursionError:
        raise ValueError("its arrays and objects are nested too deeply") from None
    return value


def _integer(digits: str) -> int:
    """Return the number, or, where Python refuses to read so many digits, another one like it."""
    try:
        return int(digits)
    except ValueError:
        return int(digits[:2]) * 10**5000


class _Pairs(list[tuple[str, object]]):
    """An object as the file has it, which is no array."""


def _first_twice(value: object, path: str = "") -> str:
    """Return the path of the first name that is there twice, or an empty string."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inner in value:
            own = f"{path}.{name}".lstrip(".")
            if name in seen:
                return own
            seen.add(name)
            if found := _first_twice(inner, own):
                return found
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            if found := _first_twice(inner, f"{path}[{i}]"):
                return found
    return ""


def encode(value: object) -> str:
    """Return JSON for strings, numbers, booleans, None, and lists, tuples and dicts of them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _json.encode_basestring_ascii(value)
    if isinstance(value, dict):
        pairs = (f"{encode(str(key))}:{encode(entry)}" for key, entry in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(entry) for entry in value) + "]"
    return repr(value)
