"""``nsisolate events``: what a container uses, and when it is out of memory."""

from __future__ import annotations

from ..runtime.errors import LifecycleError
from ..runtime.lifecycle import events
from ..runtime.lifecycle.state import STOPPED
from .arguments import UsageError, read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate events [--interval TIME] [--stats] ID

Prints, as a line of JSON each, what a container uses, and when it is out of memory, until it ends.

  --interval TIME    how often: 5s (default), 100ms, 1m30s, ...
  --stats            print what it uses once
"""
_UNITS = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Return a time such as ``1.5s`` or ``1m30s`` in seconds. Raises UsageError."""
    wrong = UsageError(f"--interval: {text!r} is not a time above 0, such as 5s or 100ms")
    total, rest = 0.0, text
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        unit = rest[len(digits) :]
        unit = unit[: len(unit) - len(unit.lstrip("nu\u00b5msh"))]
        if unit not in _UNITS or digits.count(".") > 1 or not digits.strip("."):
            raise wrong
        total += float(digits) * _UNITS[unit]
        rest = rest[len(digits) + len(unit) :]
    if not 0 < total < 1e9:
        raise wrong
    return total


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, flags=("--stats",), options=("--interval",), most=1)
    interval = seconds(given.get("--interval", "5s"))
    state = settings.directory(required_id(positional, "events")).load()
    if state.status() == STOPPED:
        raise LifecycleError(f"container not running: {state.id!r} is {STOPPED}")
    if "--stats" in given:
        _print(state.id, "stats", events.statistics(state))
        return 0
    for kind, data in events.stream(state, interval):
        _print(state.id, kind, data)
    return 0


def _print(container_id: str, kind: str, data: dict[str, object] | None) -> None:
    import json

    event: dict[str, object] = {"type": kind, "id": container_id}
    if data is not None:
        event["data"] = data
    print(json.dumps(event, separators=(",", ":")), flush=True)
