"""Shipping test functions: cloudpickle, and a fingerprint that tells whether shipping was needed."""

from __future__ import annotations

import hashlib
import inspect
import types
from typing import Any

import cloudpickle
import pytest


def fingerprint(function: object) -> str | None:
    """Return a digest of what *function* is: its module, name and code; None if it has no code."""
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return None
    described = (function.__module__, function.__qualname__, _describe(function.__code__))
    return hashlib.blake2b(repr(described).encode(), digest_size=16).hexdigest()


def _describe(value: object) -> object:
    """Return what a code object, or a constant in one, is, the same in every process.

    ``marshal`` will not do: what it writes depends on reference counts and on what is interned.
    """
    if isinstance(value, types.CodeType):
        return (
            value.co_code,
            value.co_names,
            value.co_varnames,
            value.co_freevars,
            value.co_firstlineno,
            [_describe(constant) for constant in value.co_consts],
        )
    if isinstance(value, tuple):
        return tuple(_describe(item) for item in value)
    if isinstance(value, frozenset):
        return sorted(repr(item) for item in value)
    return repr(value)


def ship(item: pytest.Item) -> tuple[bytes | None, str]:
    """Return the item's function, pickled, or None and the reason why not."""
    function = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function):
        return None, f"a {type(item).__name__} is not a function"
    try:
        return cloudpickle.dumps(getattr(function, "__func__", function)), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def ship_parameters(item: pytest.Item) -> bytes | None:
    """Return the item's parameters, pickled; None where there are none, or none that can be."""
    callspec: Any = getattr(item, "callspec", None)
    if callspec is None:
        return None
    try:
        pickled: bytes = cloudpickle.dumps(callspec)
    except Exception:
        return None
    return pickled
