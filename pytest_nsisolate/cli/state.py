"""``nsisolate state``: a container's state (runtime.md, "Query State")."""

from __future__ import annotations

from .arguments import read, required_id
from .stating import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate state ID

Prints the state of a container, as JSON.
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    _given, positional = read(argv, most=1)
    import json

    state = settings.directory(required_id(positional, "state")).load()
    print(json.dumps(describe(state), indent=2))
    return 0
