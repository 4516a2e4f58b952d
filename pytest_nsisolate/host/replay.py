"""Doing on the host what happened in a sandbox: warnings, properties, and the wish to stop the session."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pytest

from ..pytest_private_files import record_in_xml
from ..wire import frames
from ..wire.data import MalformedData, from_json
from ..wire.exceptions import from_data


def replay_of(item: pytest.Item, kind: int, message: Any) -> Callable[[], object]:
    """Return what does here what the *message* of a test says.

    Raises MalformedData, and all that wrong data may raise where it is taken apart, before anything is done.
    """
    if kind == frames.WARNING:
        hook = item.ihook.pytest_warning_recorded
        return partial(hook.call_historic, kwargs=_warning_of(item, message))
    if kind == frames.STOP:
        return stop_of(message)
    if kind == frames.XML:
        name, value = str(message["name"]), str(message["value"])
        return partial(record_in_xml, item, name, value, attribute=bool(message["attribute"]))
    if kind == frames.CACHE:
        return _caching(item.config, str(message["key"]), from_json(str(message["value"])))
    raise MalformedData(f"a message of the unknown kind {kind}")


def _warning_of(item: pytest.Item, data: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``pytest_warning_recorded`` for a warning of *item*."""
    text = str(data["text"])
    category = _warning_class(str(data["module"]), str(data["name"]))
    error = from_data(data["message"])
    message = warnings.WarningMessage(
        message=error if isinstance(error, Warning) else UserWarning(text),
        category=category,
        filename=str(data["filename"]),
        lineno=int(data["lineno"]),
        # Never None: the source line would then be read from whatever file the test names.
        line=str(data["line"]),
        # All that is asked of it is whether it was allocated under tracemalloc.
        source=... if data["source"] else None,
    )
    location = data["location"]
    if location is not None:
        where, line, function = location
        location = (str(where), int(line), str(function))
    return {
        "warning_message": message,
        "when": "runtest",
        "nodeid": item.nodeid if data["nodeid"] else "",
        "location": location,
    }


def _warning_class(module: str, qualname: str) -> type[Warning]:
    found: object = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    if isinstance(found, type) and issubclass(found, Warning):
        return found
    names = {"__module__": module, "__qualname__": qualname}
    return type(qualname.rpartition(".")[2], (UserWarning,), names)


def _caching(config: pytest.Config, key: str, value: object) -> Callable[[], object]:
    """Return what sets a value of pytest's cache, which a key must not lead out of."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in key:
        raise MalformedData(f"the cache's key {key!r}")
    cache = config.cache
    return partial(cache.set, key, value) if cache is not None else lambda: None


def stop_of(data: dict[str, Any]) -> Callable[[], object]:
    """Return what stops the session, as ``pytest.exit`` or Ctrl-C would have here, at the same place."""
    text, returncode = str(data["text"]), data.get("returncode")
    error: BaseException
    if data["kind"] == "KeyboardInterrupt":
        error = KeyboardInterrupt(text) if text else KeyboardInterrupt()
    else:
        known = type(returncode) is int and 0 <= returncode < 256
        error = pytest.exit.Exception(text, returncode if known else None)
    where = from_data(data["exception"]).__traceback__

    def stop() -> None:
        raise error.with_traceback(where)

    return stop
