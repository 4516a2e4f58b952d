"""JSON without the ``json`` package, whose import costs more than a container."""

from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WHITESPACE = " \t\n\r"


class _Settings:
    """What the scanner asks of a JSONDecoder: the defaults, in plain Python types."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float  # NaN and the infinities, by their names


def decode(raw: bytes) -> object:
    """Return what ``json.loads`` does, and raise what it raises.

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
    import json

    fallback: object = json.loads(raw)
    return fallback


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
