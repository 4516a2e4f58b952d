"""Where the benchmarks find and keep things."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent


class MeasurementError(Exception):
    """Something could not be measured; the text says what and why."""


def default_cache() -> Path:
    """Return the directory for environments, built programs and workloads."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "nsisolate-benchmarks"


def run(command: list[str], **options: object) -> str:
    """Run a command; return what it prints. Raises MeasurementError with the end of its output."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", **options
        )  # type: ignore[call-overload]
    except FileNotFoundError:
        raise MeasurementError(f"{command[0]} is not installed") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise MeasurementError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return str(done.stdout)
