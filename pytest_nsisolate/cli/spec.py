"""``nsisolate spec``: a default config.json."""

from __future__ import annotations

import os

from ..runtime.spec.default import default_plan
from ..runtime.spec.writer import to_config
from .arguments import UsageError, first, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate spec [--bundle DIR] [--file FILE] [--rootless]

Writes a config.json that runs a shell in the directory rootfs of the bundle.

  -b, --bundle DIR    the bundle's directory (default: .)
  -f, --file FILE     the file to write, instead of config.json
  --rootless          for an ordinary user: a user namespace that maps root to you
"""
_OPTIONS = ("--bundle", "-b", "--file", "-f")


def main(argv: list[str], _settings: Settings) -> int:
    """Run the verb; return the exit code."""
    import json

    given, _ = read(argv, flags=("--rootless",), options=_OPTIONS, most=0)
    bundle = first(given, "--bundle", "-b", default=".")
    path = os.path.join(bundle, first(given, "--file", "-f", default="config.json"))
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(to_config(default_plan(rootless="--rootless" in given)), file, indent=4)
            file.write("\n")
    except FileExistsError:
        raise UsageError(f"{path!r} is already there; remove it first") from None
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from None
    return 0
