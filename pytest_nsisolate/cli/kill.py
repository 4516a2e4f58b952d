"""``nsisolate kill``: a signal to a container's process, or to all of them."""

from __future__ import annotations

import _signal

from ..runtime import container
from ..runtime.errors import LifecycleError
from .arguments import HelpRequested, UsageError, read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

_HELP = """\
usage: nsisolate kill [--all] ID [SIGNAL]

Sends a signal, by name or number (default: TERM), to the container's process.

  -a, --all    to every process in the container; that none is left is no error then
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    try:
        given, positional = read(argv, flags=("--all", "-a"), most=2)
    except HelpRequested:
        print(_HELP, end="")
        return 0
    directory = settings.directory(required_id(positional, "kill"))
    number = signal_number(positional[1] if len(positional) > 1 else "TERM")
    state = directory.load()
    if given:
        container.signal_all(state, number)
    elif not container.signal_init(state, number):
        raise LifecycleError(f"container not running: {state.id!r} is {state.status()}")
    return 0


def signal_number(text: str) -> int:
    """Return the number of a signal: ``9``, ``KILL``, ``sigkill``, ``SIGRTMIN+3``. Raises UsageError."""
    if text.isdecimal() and text.isascii() and int(text[:9]) in _signal.valid_signals():
        return int(text)
    name = text.upper().removeprefix("SIG")
    base, sign, offset = name.partition("+" if "+" in name else "-")
    number = getattr(_signal, f"SIG{base}", None) if base.isalnum() else None
    if isinstance(number, int) and number > 0:
        if not sign:
            return int(number)
        if base in ("RTMIN", "RTMAX") and offset.isdecimal():
            shifted = number + int(sign + offset)
            if _signal.SIGRTMIN <= shifted <= _signal.SIGRTMAX:
                return shifted
    raise UsageError(f"unknown signal {text!r}")
