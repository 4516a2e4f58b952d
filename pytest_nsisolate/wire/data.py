"""JSON that keeps tuples, bytes and non-string keys, and says so when a value is something else.

Reports are made of plain data, but a skip's ``longrepr`` has to come back as a tuple, and users record what
they like as properties.
"""

from __future__ import annotations

from _json import make_encoder, make_scanner
from binascii import a2b_base64, b2a_base64
from json.encoder import encode_basestring_ascii
from types import SimpleNamespace
from typing import Any

from .sizes import ODD_KEYS_LIMIT, VALUE_LIMIT, is_too_much

_TAG = "__nsisolate__"
_INT_BITS = 4096


class MalformedData(ValueError):
    """Bytes that are not what :func:`dump` makes."""


def dump(value: object) -> bytes:
    """Return *value* as bytes. What is not plain data is replaced by its ``str``."""
    return as_json(_to_json(value)).encode("ascii")


def as_json(value: object) -> str:
    """Return the JSON of *value*, which has to be of what JSON has, as the module ``json`` would."""
    return "".join(_ENCODE(value, 0))


def from_json(text: str) -> Any:
    """Return what is in a JSON *text*. Raises MalformedData."""
    return _scanned(_SCAN_PLAIN, text)


def is_data(value: object) -> bool:
    """Tell whether :func:`load` returns what *value* is, and not only its ``str``."""
    kind = type(value)
    if kind is list or kind is tuple:
        return all(map(is_data, value))  # type: ignore[call-overload]
    if kind is dict:
        return all(is_data(key) and is_data(item) for key, item in value.items())  # type: ignore[attr-defined]
    return value is None or any(kind is plain for plain in (bool, int, float, str, bytes))


def load(raw: bytes) -> Any:
    """Return what was dumped. Raises MalformedData."""
    # As we write it: other encodings would make four bytes of each of a text's characters.
    if not raw.isascii():
        raise MalformedData("not a message: it is not ASCII")
    if is_too_much(raw):
        raise MalformedData(f"a message of more than {VALUE_LIMIT} values")
    return _scanned(_SCAN, raw.decode("ascii"))


def _scanned(scan: Any, text: str) -> Any:
    try:
        value, end = scan(text, 0)
    except StopIteration as error:
        raise MalformedData(f"not a message: no value at {error.value}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedData(f"not a message: {error}") from None
    if end != len(text):
        raise MalformedData(f"not a message: there is more after {end}")
    return value


def _to_json(value: object) -> object:
    # By identity: comparing classes would ask their metaclass.
    kind = type(value)
    if value is None or kind is str or kind is float or kind is bool:
        return value
    if kind is int:
        # Longer ones cannot be written in decimal (sys.set_int_max_str_digits).
        return value if value.bit_length() < _INT_BITS else f"<int of {value.bit_length()} bits>"  # type: ignore[attr-defined]
    if kind is list:
        return [_to_json(item) for item in value]  # type: ignore[attr-defined]
    if kind is dict and all(type(key) is str for key in value):  # type: ignore[attr-defined]
        return {key: _to_json(item) for key, item in value.items()}  # type: ignore[attr-defined]
    return _tagged(value)


def _tagged(value: Any) -> object:
    # By the class, and not with isinstance, which asks for the value's __class__.
    kind = type(value)
    if issubclass(kind, tuple):
        return {_TAG: "tuple", "items": [_to_json(item) for item in value]}
    if issubclass(kind, dict) and _odd_keys(value) <= ODD_KEYS_LIMIT:
        pairs = [[_to_json(key), _to_json(item)] for key, item in value.items()]
        return {_TAG: "dict", "items": pairs}
    if issubclass(kind, bytes):
        return {_TAG: "bytes", "text": b2a_base64(value, newline=False).decode("ascii")}
    if issubclass(kind, list):
        return [_to_json(item) for item in value]
    if issubclass(kind, int):
        return _to_json(int.__int__(value))
    if issubclass(kind, float):
        return float.__float__(value)
    return text_of(value)


def _odd_keys(value: dict[Any, Any]) -> int:
    return sum(type(key) is not str for key in value)


def text_of(value: object) -> str:
    """Return the ``str`` of *value*, or what is wrong with it: whatever it raises must not end the report."""
    try:
        # A __str__ may return what is of a subclass of str, with another one.
        return str.__str__(str(value))
    except BaseException as error:
        return f"<{type(value).__name__} whose str() raises {type(error).__name__}>"


def _untag(value: dict[str, Any]) -> Any:
    tag = value.get(_TAG)
    if tag is None:
        return value
    if tag == "tuple":
        return tuple(value["items"])
    if tag == "bytes":
        return a2b_base64(value["text"], strict_mode=True)
    if tag == "dict":
        pairs = value["items"]
        if sum(type(key) is not str for key, _item in pairs) > ODD_KEYS_LIMIT:
            raise MalformedData(
                f"a dictionary with more than {ODD_KEYS_LIMIT} keys that are no texts"
            )
        return dict(pairs)
    raise MalformedData(f"an unknown tag {tag!r}")


def _scanner(object_hook: Any) -> Any:
    settings: Any = SimpleNamespace(
        strict=True,
        object_hook=object_hook,
        object_pairs_hook=None,
        parse_float=float,
        parse_int=int,
        parse_constant={"NaN": float("nan"), "Infinity": _INF, "-Infinity": -_INF}.__getitem__,
    )
    return make_scanner(settings)


_INF = float("inf")

#: What the module ``json`` is made of, kept: tests mock that module, its classes and their methods, maybe
#: until after their report. Markers (None) would find circles, which a tree that was just made has not.
_ENCODE: Any = make_encoder(
    None, text_of, encode_basestring_ascii, None, ":", ",", False, False, True
)
_SCAN, _SCAN_PLAIN = _scanner(_untag), _scanner(None)
