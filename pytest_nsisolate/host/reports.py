"""Reports from a sandbox, made to be what they would have been here."""

from __future__ import annotations

from typing import Any

import pytest

from ..pytest_private import OpaqueRepr, mend_subtest, set_failed_subtests
from ..wire.data import MalformedData


def rebuild(config: pytest.Config, message: dict[str, Any]) -> pytest.TestReport:
    """Return the report in *message*. Raises MalformedData."""
    data = message["report"]
    try:
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
    except Exception as error:
        raise MalformedData(f"not a report: {error}") from None
    if not isinstance(report, pytest.TestReport):
        raise MalformedData("something that is not a test's report")
    if message.get("opaque") and isinstance(report.longrepr, str):
        report.longrepr = OpaqueRepr(report.longrepr)
    mend_subtest(report, data)
    set_failed_subtests(config, report, int(message.get("failed_subtests", 0)))
    return report
