"""Programs that the set-up calls: apt, tar, compilers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import SetupError

#: Debian's own; what lies in /usr/local must not change a build.
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def output(
    command: Sequence[str],
    *,
    log: Path,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run *command*, append its stderr to *log*, and return its stdout; raise SetupError if it fails."""
    with log.open("ab") as errors:
        errors.write(f"+ {' '.join(command)}\n".encode())
        errors.flush()
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=directory,
                env={**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except FileNotFoundError:
            raise SetupError(f"{command[0]}: not found in {SYSTEM_PATH}") from None
    if done.returncode != 0:
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise SetupError(f"{command[0]} failed with exit code {done.returncode}, see {log}: {last}")
    return done.stdout.decode(errors="replace")


def call(
    command: Sequence[str],
    *,
    log: Path,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run *command*, append all that it prints to *log*; raise SetupError if it fails."""
    text = output(command, log=log, directory=directory, environment=environment)
    with log.open("a") as file:
        file.write(text)
