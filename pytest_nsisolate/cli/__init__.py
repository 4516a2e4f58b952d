"""The command line: one file a verb.

``argparse`` takes longer to import than ``run`` takes to do its work, so the few options are read by
:mod:`.arguments`, and each verb is imported only when it is called.
"""

from __future__ import annotations

import os
import sys

from ..runtime.errors import NsisolateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_VERBS = {
    "run": "run a bundle in the foreground",
    "spec": "write a default config.json",
    "features": "print what this runtime supports, as JSON",
}

_HELP = """\
usage: nsisolate [--version] [--help] VERB ...

Runs OCI bundles in Linux namespaces, as root or as an ordinary user.

verbs:
{verbs}

`nsisolate VERB --help` tells more.
"""


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. *argv* defaults to the process's arguments."""
    code = _run(sys.argv[1:] if argv is None else argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing is left to clean up, and the interpreter's own tidying costs milliseconds.
    os._exit(code)


def _run(argv: list[str]) -> int:
    try:
        return _dispatch(argv)
    except NsisolateError as error:
        print(f"nsisolate: {error}", file=sys.stderr)
        return int(getattr(error, "exit_code", 1))
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def _dispatch(argv: list[str]) -> int:
    from .arguments import UsageError

    if not argv or argv[0] in ("--help", "-h", "help"):
        lines = "\n".join(f"  {verb:<10} {text}" for verb, text in _VERBS.items())
        print(_HELP.format(verbs=lines), end="")
        return 0 if argv else 1
    if argv[0] in ("--version", "-v", "version"):
        from .version import print_version

        print_version()
        return 0
    verb = argv[0]
    if verb not in _VERBS:
        raise UsageError(f"unknown verb {verb!r}; `nsisolate --help` lists them")
    module = __import__(f"{__name__}.{verb}", fromlist=["main"])
    return int(module.main(argv[1:]))
