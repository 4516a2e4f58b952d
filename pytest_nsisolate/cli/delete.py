"""``nsisolate delete``: forget a container that has stopped, or was never started."""

from __future__ import annotations

from ..runtime.errors import LifecycleError, NsisolateError
from ..runtime.lifecycle import container, signalling
from ..runtime.lifecycle.state import CREATED, STOPPED
from ..runtime.spec.config import parse_stored
from .arguments import UsageError, first, read
from .selecting import matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.lifecycle.state import Directory, State
    from ..runtime.plan import Plan
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate delete [--force] ID ...

Deletes containers that have stopped, or were never started.

  -f, --force    kill one that runs; that there is none is no error then
  --regex        ID is a regular expression: delete all containers that it matches
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, flags=("--force", "-f", "--regex", "-r"), options=(), most=1000)
    force = bool(first(given, "--force", "-f"))
    if not positional:
        raise UsageError("`nsisolate delete` needs the ID of a container; --help tells more")
    found = matching(positional, settings) if first(given, "--regex", "-r") else positional
    for container_id in found:
        directory = settings.directory(container_id)
        if force:
            _delete_by_force(directory, settings)
        else:
            with directory:
                _delete(directory, settings, force=False)
    return 0


def _delete_by_force(directory: Directory, settings: Settings) -> None:
    """Delete whatever there is, also while somebody else creates or starts it: their lock ends with it."""
    try:
        state = directory.load()
    except LifecycleError:
        pass
    else:
        signalling.end(state)
    directory.remove_remains()
    if not directory.exists():
        return
    try:
        directory.__enter__()
    except LifecycleError:
        return  # its creator has just removed it
    try:
        _delete(directory, settings, force=True)
    finally:
        directory.unlock()


def _delete(directory: Directory, settings: Settings, *, force: bool) -> None:
    state: State | None = None
    plan: Plan | None = None
    try:
        state = directory.load()
        plan = _stored_plan(directory, state)
    except LifecycleError:
        # We have the lock, so whoever was creating it has died before there was a process.
        if not force:
            raise
    if state is not None:
        status = state.status()
        if status not in (CREATED, STOPPED) and not force:
            raise LifecycleError(
                f"cannot delete container {state.id!r} that is not stopped: {status}"
            )
        signalling.end(state)
    container.delete(directory, plan, state, settings.log.warn)


def _stored_plan(directory: Directory, state: State) -> Plan | None:
    try:
        return parse_stored(directory.config(), state.bundle)
    except NsisolateError:
        return None  # no reason to keep the rest
