"""``nsisolate list``: the containers below the root, as a table or JSON."""

from __future__ import annotations

from ..runtime.errors import LifecycleError
from ..runtime.lifecycle.state import containers
from ..runtime.spec.decoding import encode
from .arguments import UsageError, first, read
from .stating import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate list [--quiet] [--format table|json]

Lists the containers.

  -q, --quiet     their ids only
  -f, --format    table (default) or json
"""
_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, _ = read(argv, flags=("--quiet", "-q"), options=("--format", "-f"), most=0)
    form = first(given, "--format", "-f", default="table")
    if form not in ("table", "json"):
        raise UsageError(f"--format: {form!r} is not one of table, json")
    found = _states(settings)
    if first(given, "--quiet", "-q"):
        for state in found:
            print(state["id"])
    elif form == "json":
        print(encode(found))
    else:
        _print_table(found)
    return 0


def _states(settings: Settings) -> list[dict[str, object]]:
    found = []
    for directory in containers(settings.state_root()):
        try:
            found.append(describe(directory.load()))
        except LifecycleError:
            continue  # it is just being created, or deleted
    return found


def _print_table(states: list[dict[str, object]]) -> None:
    rows = [tuple(name.upper() for name in _COLUMNS)]
    rows += [tuple(str(state[name]) for name in _COLUMNS) for state in states]
    widths = [max(9, *(len(row[i]) for row in rows)) + 3 for i in range(len(_COLUMNS) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("".join(cells) + row[-1])
