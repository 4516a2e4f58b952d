"""``nsisolate run``: a bundle in the foreground."""

from __future__ import annotations

import os
import sys

from ..runtime import spec
from ..runtime.errors import SpecError
from ..runtime.foreground import Signals, attend
from ..runtime.init import container
from ..runtime.launcher import launch
from ..runtime.preparation import prepare
from ..runtime.privileges import ungrantable
from .arguments import HelpRequested, UsageError, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.plan import Plan

_HELP = """\
usage: nsisolate run [--bundle DIR] [BUNDLE | ID]

Runs the bundle in the foreground: signals are passed on, and the exit code is the container's
(128 + N where signal N ended it; 127 and 126 where the program is not there or cannot be executed).

  BUNDLE          the bundle's directory (it is one if it holds a slash or a config.json)
  -b, --bundle    the bundle's directory; the argument, if any, is then the container's id
"""


def main(argv: list[str]) -> int:
    """Run the verb; return the exit code."""
    try:
        given, positional = read(argv, options=("--bundle", "-b"), most=1)
    except HelpRequested:
        print(_HELP, end="")
        return 0
    bundle = _bundle(given, positional)
    plan = spec.load(bundle)
    if plan.process is None:
        raise SpecError("process", "is required to run a container, and missing")
    signals = Signals()
    container_id = _container_id(positional)
    state = {
        "id": container_id,
        "bundle": os.path.abspath(bundle),
        "annotations": dict(plan.annotations),
    }
    preparation = prepare(plan, container_id, state)
    try:
        launched = launch(
            plan, lambda plan, channel: container(plan, channel, preparation), preparation
        )
        _warn_of_capabilities(plan)
        launched.go()
        return attend(launched, signals).exit_code
    finally:
        preparation.remove()


def _container_id(positional: list[str]) -> str:
    """Return the container's id, which may be missing."""
    word = positional[0] if positional and "/" not in positional[0] else ""
    return word.strip(".") or f"nsisolate-{os.getpid()}"


def _warn_of_capabilities(plan: Plan) -> None:
    if lacking := ungrantable(plan):
        names = ", ".join(lacking)
        print(f"nsisolate: warning: process.capabilities: cannot grant {names}", file=sys.stderr)


def _bundle(given: dict[str, str], positional: list[str]) -> str:
    bundle = given.get("--bundle", given.get("-b"))
    if bundle is not None:
        return bundle
    if not positional:
        return "."
    word = positional[0]
    if "/" in word or word in (".", "..") or os.path.isdir(word):
        return word
    if os.path.exists("config.json"):
        return "."
    raise UsageError(f"{word!r} is not a directory, and there is no config.json here")
