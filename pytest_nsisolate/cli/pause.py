"""``nsisolate pause``: stop all processes of a container."""

from __future__ import annotations

from ..runtime.lifecycle import pausing
from .arguments import read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate pause ID

Stops all processes of a container, until `nsisolate resume`.
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    _given, positional = read(argv, most=1)
    with settings.directory(required_id(positional, "pause")) as directory:
        pausing.pause(directory.load())
    return 0
