"""``nsisolate ps``: the processes of a container."""

from __future__ import annotations

import os
import subprocess

from ..runtime.errors import LifecycleError
from ..runtime.lifecycle.signalling import processes
from ..runtime.spec.decoding import encode
from .arguments import UsageError, first, read, required_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate ps [--format table|json] ID [PS_OPTIONS]

Lists the processes of a container.

  -f, --format    table (default): what ps(1) says, with PS_OPTIONS (default: -ef); json: their pids
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(argv: list[str], settings: Settings) -> int:
    """Run the verb; return the exit code."""
    given, positional = read(argv, options=("--format", "-f"), most=100, command_after=1)
    container_id, options = required_id(positional, "ps"), positional[1:]
    if options[:1] in (["--format"], ["-f"]) and len(options) > 1:
        given["--format"], options = options[1], options[2:]
    form = first(given, "--format", "-f", default="table")
    if form not in ("table", "json"):
        raise UsageError(f"--format: {form!r} is not one of table, json")
    pids = processes(settings.directory(container_id).load())
    if form == "json":
        print(encode(pids))
    else:
        _print_table(pids, options or ["-ef"])
    return 0


def _print_table(pids: list[int], options: list[str]) -> None:
    environment = {"PATH": _PATH} | os.environ
    try:
        done = subprocess.run(
            ["ps", *options], env=environment, capture_output=True, encoding="utf-8", check=False
        )
    except FileNotFoundError:
        raise LifecycleError("ps: not found; `--format json` does without it") from None
    if done.returncode:
        raise LifecycleError(f"ps: {' '.join(done.stderr.split()) or done.returncode}")
    header, *lines = done.stdout.splitlines()
    if "PID" not in header.split():
        raise UsageError("the columns of ps must include PID")
    column = header.split().index("PID")
    print(header)
    for line in lines:
        fields = line.split()
        if len(fields) > column and fields[column] in map(str, pids):
            print(line)
