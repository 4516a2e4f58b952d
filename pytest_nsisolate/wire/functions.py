"""Shipping test functions: cloudpickle, and a fingerprint that tells whether shipping was needed."""

from __future__ import annotations

import hashlib
import inspect
import marshal
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
    code = marshal.dumps(function.__code__, 2)
    text = f"{function.__module__}\0{function.__qualname__}\0".encode()
    return hashlib.blake2b(text + code, digest_size=16).hexdigest()


def ship(item: pytest.Item) -> tuple[bytes | None, str]:
    """Return the item's function and parameters, pickled, or None and the reason why not."""
    function = getattr(item, "obj", None)
    callspec: Any = getattr(item, "callspec", None)
    if not isinstance(item, pytest.Function):
        return None, f"a {type(item).__name__} is not a function"
    try:
        return cloudpickle.dumps((getattr(function, "__func__", function), callspec)), ""
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
