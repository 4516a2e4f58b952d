"""``nsisolate create``: a container whose process waits for ``start``."""

from __future__ import annotations

from ..runtime.lifecycle import container
from . import building
from .arguments import first, read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = f"""\
USAGE:
   nsisolate create [OPTIONS] ID

Creates a container: everything of it is built, and its process waits for `nsisolate start`.

{building.HELP}"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, flags=building.FLAGS, options=building.OPTIONS, most=1)
    container_id = required_id(positional, "create")
    directory = settings.directory(container_id)
    bundle = first(given, "--bundle", "-b", default=".")
    # config.md: process is required when start is called, and not before.
    request = building.read_request(
        given, bundle, container_id, directory, settings, detached=True, may_lack_process=True
    )
    container.create(request)
    return 0
