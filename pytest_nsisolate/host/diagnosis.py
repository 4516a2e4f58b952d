"""Why there is no isolation here: what ``nsisolate doctor`` says about it."""

from __future__ import annotations

import subprocess
import sys

from ..runtime.bare_interpreter import bare

#: In an interpreter of its own: this one may have threads, which do not go with forking.
_BLOCKERS = "from pytest_nsisolate.runtime.diagnosis.report import blockers; print(blockers())"
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
    try:
        done = subprocess.run(
            bare(_BLOCKERS),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # what failed is known all the same
    return done.stdout.strip()
