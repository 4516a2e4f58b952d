"""``nsisolate start``: let a created container's process run."""

from __future__ import annotations

from ..runtime.lifecycle import container
from ..runtime.spec.config import parse_stored
from . import building
from .arguments import read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate start ID

Starts the process of a container that was created.
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    _given, positional = read(argv, most=1)
    with settings.directory(required_id(positional, "start")) as directory:
        state = directory.load()
        plan = parse_stored(directory.config(), state.bundle)
        container.start(directory, plan, state, settings.log.warn, building.notify_address())
    return 0
