"""Running one pytest session, and what it took."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .places import MeasurementError


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session: seconds on the clock, and when each test began and ended.

    *peak* is the resident memory in KiB of pytest, or of what it waited for, whichever is larger.
    *memory* is, after each 1,000 tests, the resident memory of pytest and of its template, in KiB.
    """

    seconds: float
    peak: int
    stamps: tuple[tuple[float, float], ...]
    memory: tuple[tuple[int, int], ...] = ()

    def rates(self, skip: int = 20) -> list[float]:
        """Return the microseconds from one test's beginning to the next's; the first *skip* are left out."""
        began = [start for start, _end in self.stamps]
        return [(b - a) * 1e6 for a, b in zip(began[skip:], began[skip + 1 :], strict=False)]

    def latencies(self, skip: int = 20) -> list[float]:
        """Return the microseconds of each test, less the first *skip*."""
        return [(end - start) * 1e6 for start, end in self.stamps[skip:]]


def run_session(
    python: str, project: Path, *arguments: str, tests: int, **variables: str
) -> Session:
    """Run pytest on the project. Raises MeasurementError unless *tests* tests pass."""
    with tempfile.TemporaryDirectory() as directory:
        stamps = Path(directory) / "stamps.json"
        env = os.environ | {"BENCHMARK_STAMPS": str(stamps)} | variables
        env = {**env, "PYTEST_ADDOPTS": ""}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        output = Path(directory) / "output"
        before = time.perf_counter()
        with output.open("wb") as stream:
            process = subprocess.Popen(
                command, cwd=project, env=env, stdout=stream, stderr=subprocess.STDOUT
            )
            _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - before
        process.returncode = os.waitstatus_to_exitcode(status)
        said = output.read_text(errors="replace")
        if process.returncode or f"{tests} passed" not in said:
            said = said[-2000:]
            raise MeasurementError(f"{' '.join(command)}: {tests} tests do not pass:\n{said}")
        recorded = json.loads(stamps.read_text()) if stamps.exists() else {}
        return Session(
            seconds=seconds,
            peak=usage.ru_maxrss,
            stamps=tuple((a, b) for a, b in recorded.get("stamps", ())),
            memory=tuple((a, b) for a, b in recorded.get("memory", ())),
        )
