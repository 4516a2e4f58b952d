"""``nsisolate checkpoint``: what callers of runc may ask for, and get a clear answer to."""

from __future__ import annotations

from ..runtime.errors import UnsupportedError
from .arguments import HelpRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .settings import Settings

HELP = """\
USAGE:
   nsisolate checkpoint [OPTIONS] ID

Would save the processes of a running container in a directory. It is not supported: that takes CRIU.
"""


def main(argv: list[str], _settings: Settings) -> NoReturn:
    """Refuse. Raises UnsupportedError, and HelpRequested."""
    if "--help" in argv or "-h" in argv:
        raise HelpRequested
    raise UnsupportedError(
        "checkpoint is not supported: it takes CRIU, which this runtime does not use"
    )
