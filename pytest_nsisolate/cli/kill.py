"""``nsisolate kill``: a signal to a container's process, or to all of them."""

from __future__ import annotations

import _signal

from ..runtime.errors import LifecycleError, NsisolateError
from ..runtime.lifecycle import signalling
from ..runtime.spec.config import parse_stored
from .arguments import UsageError, first, read, required_id
from .selecting import matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.lifecycle.state import Directory, State
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate kill [--all] [--regex] ID [SIGNAL]

Sends a signal, by name or number (default: TERM), to the container's process. KILL also ends the others
of a container without a pid namespace of its own.

  -a, --all      to every process in the container; that none is left is no error then
  -r, --regex    ID is a regular expression: to all containers that it matches
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, flags=("--all", "-a", "--regex", "-r"), most=2)
    found = [required_id(positional, "kill")]
    number = signal_number(positional[1] if len(positional) > 1 else "TERM")
    if first(given, "--regex", "-r"):
        found = matching(found, settings)
    for container_id in found:
        _kill(settings.directory(container_id), number, everyone=bool(first(given, "--all", "-a")))
    return 0


def _kill(directory: Directory, number: int, *, everyone: bool) -> None:
    state = directory.load()
    if everyone:
        signalling.signal_all(state, number)
        return
    signalled = signalling.signal_init(state, number)
    if number == _signal.SIGKILL and _shares_pids(directory, state):
        # Nobody else ends them: it is with a pid namespace that the first process takes all others along.
        signalled = bool(signalling.signal_all(state, number)) or signalled
    if not signalled:
        raise LifecycleError(f"container not running: {state.id!r} is {state.status()}")


def _shares_pids(directory: Directory, state: State) -> bool:
    try:
        plan = parse_stored(directory.config(), state.bundle)
    except NsisolateError:
        return False
    return not plan.creates("pid")


def signal_number(text: str) -> int:
    """Return the number of a signal: ``9``, ``KILL``, ``sigkill``, ``SIGRTMIN+3``. Raises UsageError.

    0 is none, and asks only whether there is somebody to get one.
    """
    if text.isdecimal() and text.isascii() and int(text[:9]) in {0, *_signal.valid_signals()}:
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
