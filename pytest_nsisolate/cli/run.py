"""``nsisolate run``: a bundle in the foreground."""

from __future__ import annotations

import os
import sys

from ..runtime import spec
from ..runtime.errors import SpecError
from ..runtime.foreground import Signals, attend
from ..runtime.launcher import launch
from ..runtime.privileges import ungrantable
from .arguments import HelpRequested, UsageError, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..runtime.cgroups.group import Cgroup
    from ..runtime.plan import Plan
    from ..runtime.resctrl import ClassOfService

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
    plan = spec.load(_bundle(given, positional))
    if plan.process is None:
        raise SpecError("process", "is required to run a container, and missing")
    signals = Signals()
    bundle, name = _bundle(given, positional), _name(positional)
    cgroup = class_of_service = None
    try:
        cgroup = _cgroup(plan, name)
        class_of_service = _class_of_service(plan, name)
        state = {
            "id": name,
            "bundle": os.path.abspath(bundle),
            "annotations": dict(plan.annotations),
        }
        launched = launch(plan, cgroup=cgroup, state=state, class_of_service=class_of_service)
        if lacking := ungrantable(plan):
            names = ", ".join(lacking)
            print(
                f"nsisolate: warning: process.capabilities: cannot grant {names}", file=sys.stderr
            )
        launched.go()
        return attend(launched, signals).exit_code
    finally:
        if cgroup is not None:
            from ..runtime.cgroups.removal import remove

            remove(cgroup)
        if class_of_service is not None:
            class_of_service.remove()


def _name(positional: list[str]) -> str:
    """Return the container's id, which may be missing."""
    name = positional[0] if positional and "/" not in positional[0] else ""
    return name.strip(".") or f"nsisolate-{os.getpid()}"


def _class_of_service(plan: Plan, name: str) -> ClassOfService | None:
    if plan.intel_rdt is None:
        return None
    from ..runtime.resctrl import prepare

    return prepare(plan.intel_rdt, name)


def _cgroup(plan: Plan, name: str) -> Cgroup | None:
    """Make the plan's cgroup, if it wants one."""
    if plan.resources is None and not plan.cgroups_path:
        return None
    from ..runtime.cgroups.group import create

    return create(plan, name)


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
