"""A pytest plugin that writes down each report, in order: ``-p recorder``. Standard library and pytest only.

The path comes in an environment variable that is taken away at once. Only the pytest that was started by
the comparison records, then; no process that this one starts does, and no test sees the variable.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest

VARIABLE = "NSISOLATE_SUITES_RECORD"
_path = os.environ.pop(VARIABLE, None)
_reseed = os.environ.pop("NSISOLATE_SUITES_RESEED", None) is not None
_records: list[dict[str, Any]] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """Make the test's random numbers other ones, if that is asked for."""
    if _reseed:
        random.seed()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what matters of a report."""
    if _path is not None:
        _records.append(
            {
                "test": str(report.nodeid),
                "when": report.when,
                "outcome": report.outcome,
                "detail": _detail(report),
                "subtest": _subtest(report),
            }
        )


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Keep the collection of what failed or was skipped as a whole."""
    if _path is not None and not report.passed:
        record = {"test": str(report.nodeid), "when": "collect", "outcome": report.outcome}
        _records.append(record | {"detail": _detail(report), "subtest": None})


def pytest_sessionfinish() -> None:
    """Write it all down."""
    if _path is not None:
        with open(_path, "w") as file:
            json.dump(_records, file)


def _subtest(report: pytest.TestReport) -> str | None:
    subtest = getattr(report, "context", None)
    if subtest is None:
        return None
    arguments = getattr(subtest, "kwargs", {})
    return f"{getattr(subtest, 'msg', None)!r} { ({k: str(v) for k, v in arguments.items()})!r}"


def _detail(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test was skipped, was expected to fail, or failed (the exception's last line)."""
    if hasattr(report, "wasxfail"):
        return f"xfail: {report.wasxfail}"
    longrepr = report.longrepr
    if report.skipped and isinstance(longrepr, tuple):
        return f"{longrepr[2]}"
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message).partition("\n")[0]
    return "" if longrepr is None else str(longrepr).rpartition("\n")[2]
