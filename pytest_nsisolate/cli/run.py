"""``nsisolate run``: create and start a bundle's container, in the foreground or detached."""

from __future__ import annotations

import _signal
import os

from ..runtime.foreground import Signals, attend
from ..runtime.lifecycle import container
from ..runtime.lifecycle.state import check_id, default_root
from . import building
from .arguments import UsageError, first, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.cgroups.group import Cgroup
    from ..runtime.lifecycle.container import Request
    from .settings import Settings

_FLAGS = (*building.FLAGS, "--detach", "-d", "--keep")
HELP = f"""\
USAGE:
   nsisolate run [OPTIONS] [BUNDLE | ID]

Runs the bundle in the foreground: signals are passed on, and the exit code is the container's
(128 + N where signal N ended it; 127 and 126 where the program is not there or cannot be executed).

  BUNDLE                   the bundle's directory (it is one if it holds a slash or a config.json)
  -d, --detach             do not wait for the container's end
  --keep                   do not delete the container when it has ended
{building.HELP}"""


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, flags=_FLAGS, options=building.OPTIONS, most=1)
    bundle, container_id = _names(given, positional)
    directory = None
    if container_id or settings.root or default_root():
        container_id = container_id or _new_id()
        directory = settings.directory(container_id)
    detached = bool(first(given, "--detach", "-d"))
    request = building.read_request(
        given, bundle, container_id, directory, settings, detached=detached
    )
    if detached:
        running = container.run(request, attended=False)
        if running.relay is not None:
            container.wait_until_ready(running.relay, running.launched.pid)
        return 0
    return _foreground(request, keep="--keep" in given)


def _foreground(request: Request, *, keep: bool) -> int:
    signals = Signals()
    running = container.run(request, attended=True)
    try:
        if running.preparation.cgroup is not None:
            from ..runtime.cgroups import removal  # noqa: F401 - now, while the container is at work
        outcome = attend(running.launched, signals, running.relay)
        if outcome.exit_code == 128 + _signal.SIGKILL:
            _explain_kill(running.preparation.cgroup, request)
        return outcome.exit_code
    finally:
        if not keep:
            container.destroy(request, running.preparation)


def _explain_kill(cgroup: Cgroup | None, request: Request) -> None:
    """Tell want of memory from any other SIGKILL, while the cgroup is there that knows."""
    if cgroup is None:
        return
    from ..runtime.cgroups.removal import oom_kills

    if oom_kills(cgroup):
        request.warn("the container was out of memory (linux.resources.memory.limit), and killed")


def _names(given: dict[str, str], positional: list[str]) -> tuple[str, str]:
    """Return the bundle, and the container's id or an empty string."""
    word = positional[0] if positional else ""
    bundle = first(given, "--bundle", "-b")
    if bundle or not word:
        return bundle or ".", word and check_id(word)
    if "/" in word or word in (".", "..") or os.path.isdir(word):
        return word, ""
    config = first(given, "--config", "-f", default="config.json")
    if os.path.exists(config):
        return ".", check_id(word)
    raise UsageError(f"{word!r} is not a directory, and there is no config.json here")


def _new_id() -> str:
    import time

    return f"nsisolate-{os.getpid()}-{time.time_ns():x}"
