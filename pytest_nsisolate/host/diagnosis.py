"""Why there is no isolation here: what ``nsisolate doctor`` says about it."""

from __future__ import annotations

import os
import subprocess
import sys

from .. import __file__ as _package_file

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(_package_file)))
#: In an interpreter of its own: this one may have threads, which do not go with forking.
_BLOCKERS = (
    "import sys; sys.path.insert(0, {root!r}); "
    "from pytest_nsisolate.runtime.diagnosis.report import blockers; print(blockers())"
)
_PATIENCE = 60


def explained(error: Exception) -> str:
    """Return what failed, and everything that stands in the way here, with what lifts it."""
    found = _blockers() if sys.platform.startswith("linux") else ""
    if not found:
        return str(error)
    # Its hint is a guess; this has been tried.
    failed = str(error).partition("\nhint: ")[0]
    return f"{failed}\nwhat does not work here (python -m pytest_nsisolate doctor tells more):\n{found}"


def _blockers() -> str:
    command = [sys.executable, "-I", "-S", "-c", _BLOCKERS.format(root=_ROOT)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # what failed is known all the same
    return done.stdout.strip()
