"""Doing on the host what happened in a sandbox: warnings, and the wish to stop the session."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest


def warning_of(item: pytest.Item, data: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``pytest_warning_recorded`` for a warning of *item*."""
    message = warnings.WarningMessage(
        message=str(data["text"]),
        category=_warning_class(str(data["module"]), str(data["name"])),
        filename=str(data["filename"]),
        lineno=int(data["lineno"]),
        # Never None: the source line would then be read from whatever file the test names.
        line=str(data["line"]),
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


def _warning_class(module: str, name: str) -> type[Warning]:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found if isinstance(found, type) and issubclass(found, Warning) else UserWarning


def stop_session(kind: str, text: str, data: dict[str, Any]) -> None:
    """Stop the session, as ``pytest.exit`` or Ctrl-C would have here."""
    if kind == "KeyboardInterrupt":
        raise KeyboardInterrupt(text)
    returncode = data.get("returncode")
    known = type(returncode) is int and 0 <= returncode < 256
    pytest.exit(text, returncode=returncode if known else None)
