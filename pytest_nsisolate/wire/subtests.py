"""pytest's own subtests: how many failed is kept beside the reports, in the config's stash."""

from __future__ import annotations

from typing import Any

import pytest

try:
    from _pytest.subtests import SubtestReport, failed_subtests_key
except ImportError:  # before pytest 9 subtests are a plugin, which counts for itself
    SubtestReport = failed_subtests_key = None  # type: ignore[assignment, misc]


def _key(report: Any) -> Any:
    return getattr(report, "id", report.nodeid)


def failed_subtests(config: pytest.Config, report: pytest.TestReport) -> int:
    """Return how many subtests of the report's test failed so far."""
    if failed_subtests_key is None:
        return 0
    counts: Any = config.stash[failed_subtests_key]
    return int(counts.get(_key(report), 0))


def set_failed_subtests(config: pytest.Config, report: pytest.TestReport, count: int) -> None:
    """Make *count* the number of the test's failed subtests; a passed test fails by it."""
    if failed_subtests_key is not None and count:
        counts: Any = config.stash[failed_subtests_key]
        counts[_key(report)] = count


def mend_subtest(report: pytest.TestReport, data: dict[str, Any]) -> None:
    """Undo that the parameters of a rebuilt subtest report, texts already, were made texts again."""
    if SubtestReport is not None and isinstance(report, SubtestReport):
        object.__setattr__(report.context, "kwargs", data["_subtest.context"]["kwargs"])
