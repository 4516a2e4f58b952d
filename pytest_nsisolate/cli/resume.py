"""``nsisolate resume``: let the processes of a paused container go on."""

from __future__ import annotations

from ..runtime.lifecycle import pausing
from .arguments import read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate resume ID

Lets the processes of a paused container go on.
"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    _given, positional = read(argv, most=1)
    with settings.directory(required_id(positional, "resume")) as directory:
        pausing.resume(directory.load())
    return 0
