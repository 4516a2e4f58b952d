"""What stops a whole session, ``pytest.exit`` or Ctrl-C, as data."""

from __future__ import annotations

from ..wire.data import text_of
from ..wire.exceptions import to_data


def describe_stop(error: BaseException) -> dict[str, object]:
    """Return what the host needs to stop its session as *error* would have stopped it."""
    return {
        "kind": "KeyboardInterrupt" if isinstance(error, KeyboardInterrupt) else "Exit",
        "text": text_of(error),
        "returncode": getattr(error, "returncode", None),
        "exception": to_data(error),
    }
