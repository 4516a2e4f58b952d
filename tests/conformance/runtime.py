"""The runtime under test: any executable, or ours, by an executable that is made for the run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import SetupError

OURS = "nsisolate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An executable; *name* and *version* are what its --version says, empty if it says nothing."""

    path: Path
    name: str
    version: str

    def __str__(self) -> str:
        """Name it."""
        return f"{self.name} {self.version}" if self.name else str(self.path)


def given(path: Path, user: int) -> Runtime:
    """Return the runtime at *path*, which *user* has to be able to run."""
    if not path.is_absolute():
        raise SetupError(
            f"--runtime {path}: not absolute; the suites run in directories of their own"
        )
    if not path.is_file() or not os.access(path, os.X_OK):
        raise SetupError(f"--runtime {path}: no executable file")
    done = _ask(path, user)
    words = done.stdout.partition("\n")[0].split()
    if done.returncode == 0 and len(words) >= 3 and words[1] == "version":
        return Runtime(path=path, name=words[0], version=words[2].rstrip(","))
    return Runtime(path=path, name="", version="")


def ours(directory: Path, user: int) -> Runtime:
    """Write an executable into *directory* that runs this interpreter's pytest_nsisolate, and return it."""
    path = directory / OURS
    # -I: neither the environment nor the directory of a bundle takes part in what is imported.
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m pytest_nsisolate "$@"\n')
    path.chmod(0o755)
    done = _ask(path, user)
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2]
        raise SetupError(
            f"{sys.executable} -I -m pytest_nsisolate, as uid {user}: {last or 'no output'};"
            " install the package for an interpreter that this user can run, or give --runtime"
        )
    return given(path, user)


def _ask(path: Path, user: int) -> subprocess.CompletedProcess[str]:
    """Ask for the version, in the empty environment that some callers give."""
    try:
        return subprocess.run(
            [path, "--version"],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={},
            user=user,
            group=user,
            extra_groups=[],
        )
    except PermissionError:
        raise SetupError(f"{path}: uid {user} may not run it") from None
    except OSError as error:
        raise SetupError(f"{path}: cannot be run: {error.strerror}") from None
