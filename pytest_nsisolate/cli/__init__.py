"""The command line: one file a verb.

``argparse`` takes longer to import than ``run`` takes to do its work, so the few options are read by
:mod:`.arguments`, and each verb is imported only when it is called.
"""

from __future__ import annotations

import gc
import os
import sys

from ..runtime.children import expect_children
from ..runtime.errors import NsisolateError, call_of, explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .settings import Settings

_VERBS = {
    "create": "create a container",
    "start": "start a created container",
    "run": "create and start a container",
    "state": "print a container's state, as JSON",
    "kill": "send a signal to a container",
    "delete": "delete a stopped container",
    "pause": "stop all processes of a container",
    "resume": "let a paused container go on",
    "update": "change the limits of a container",
    "events": "print what a container uses, and when it is out of memory",
    "exec": "run a further process in a container",
    "list": "list the containers",
    "ps": "list the processes of a container",
    "spec": "write a default config.json",
    "features": "print what this runtime supports, as JSON",
    "doctor": "try what this machine allows, and say what lifts what it does not",
    "checkpoint": "save a container's processes (not supported)",
    "restore": "restore a container from a checkpoint (not supported)",
}

_HELP = """\
NAME:
   nsisolate, in place of runc - Open Container Initiative runtime

USAGE:
   nsisolate [OPTIONS] VERB ...

Runs OCI bundles in Linux namespaces, as root or as an ordinary user.

VERBS:
{verbs}

OPTIONS:
  --root DIR             where the state of the containers is
                         (default: /run/nsisolate, or $XDG_RUNTIME_DIR/nsisolate)
  --log FILE             append errors to this file too
  --log-format FORMAT    text or json
  --debug                log what is done
  --cgroup-manager NAME  cgroupfs, systemd or disabled
  --systemd-cgroup       the same as --cgroup-manager systemd
  --rootless VALUE       accepted; what can be done is found out by doing it
  --version, --help

`nsisolate VERB --help` tells more.
"""


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. *argv* defaults to the process's arguments."""
    # Nothing that we make is worth looking for before we end.
    gc.disable()
    _have_standard_streams()
    expect_children()
    code = _run(sys.argv[1:] if argv is None else argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing is left to clean up, and the interpreter's own tidying costs milliseconds.
    os._exit(code)


def _have_standard_streams() -> None:
    """Put the null device where our caller has left no stream, or we would open something else there."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(fd, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _run(argv: list[str]) -> int:
    from .log import Log
    from .settings import read_settings

    log = Log()
    try:
        settings, rest = read_settings(argv)
        log = settings.log
        return _dispatch(settings, rest)
    except NsisolateError as error:
        log.fail(str(error))
        return error.exit_code
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        log.fail(f"{call_of(error)}: {explain(error.errno or 0)}")
        return 1


def _dispatch(settings: Settings, argv: list[str]) -> int:
    from .arguments import HelpRequested, UsageError

    if not argv or argv[0] in ("--help", "-h", "help"):
        lines = "\n".join(f"  {verb:<10} {text}" for verb, text in _VERBS.items())
        print(_HELP.format(verbs=lines), end="")
        return 0 if argv else 1
    if argv[0] in ("--version", "-v", "version"):
        from .version import print_version

        print_version()
        return 0
    verb = argv[0]
    if verb not in _VERBS and argv[1:] and argv[1] in ("--help", "-h"):
        raise UsageError(f"No help topic for {verb!r}; `nsisolate --help` lists the verbs")
    if verb not in _VERBS:
        raise UsageError(f"unknown verb {verb!r}; `nsisolate --help` lists them")
    module = __import__(f"{__name__}.{verb}", fromlist=["main"])
    settings.log.detail(f"{verb} {' '.join(argv[1:])}")
    try:
        return int(module.main(argv[1:], settings))
    except HelpRequested:
        print(f"NAME:\n   nsisolate {verb}, in place of runc {verb} - {_VERBS[verb]}\n")
        print(module.HELP, end="")
        return 0
