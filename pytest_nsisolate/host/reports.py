"""Reports from a sandbox, checked, and made to be what they would have been here."""

from __future__ import annotations

from typing import Any

import pytest

from ..pytest_private import OpaqueRepr, mend_subtest, set_failed_subtests
from ..wire.data import MalformedData

_OUTCOMES = ("passed", "failed", "skipped")
_PHASES = ("setup", "call", "teardown")

#: What the host's own plugins (xdist, and we) put on reports, and believe.
_RESERVED = ("node", "worker_id", "item_index", "nsisolate_cost")


def rebuild(item: pytest.Item, message: Any) -> pytest.TestReport:
    """Return the report of *item* in *message*. Raises MalformedData.

    A test speaks for itself only: a report of another one is refused before anything is made of it.
    """
    data = message["report"]
    _check(item, data)
    config = item.config
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if not isinstance(report, pytest.TestReport):
        raise MalformedData("something that is not a test's report")
    printed = message.get("opaque")
    if printed is not None and isinstance(report.longrepr, str):
        report.longrepr = OpaqueRepr(report.longrepr, printed=str(printed))
    mend_subtest(report, data)
    failed = message.get("failed_subtests", 0)
    if type(failed) is not int or failed < 0:
        raise MalformedData(f"{failed!r} failed subtests")
    set_failed_subtests(config, report, failed)
    return report


def _check(item: pytest.Item, data: Any) -> None:
    if data["nodeid"] != item.nodeid:
        raise MalformedData(f"a report of {data['nodeid']!r}")
    check_report(data)
    # Where the item is, the host knows.
    data["location"] = item.location


def check_report(data: Any) -> None:
    """Raise MalformedData, or what wrong data raises, if *data* is not what a report is made of."""
    if data["outcome"] not in _OUTCOMES or data["when"] not in _PHASES:
        raise MalformedData(f"a report of {data['when']!r} with the outcome {data['outcome']!r}")
    for name in ("duration", "start", "stop"):
        if type(data.get(name, 0.0)) not in (int, float):
            raise MalformedData(f"a report with the {name} {data[name]!r}")
    for name, members in (("sections", (str, str)), ("user_properties", (str, object))):
        for pair in data.get(name, ()):
            if len(pair) != 2 or not all(map(isinstance, pair, members)):
                raise MalformedData(f"a report with {name} that are not pairs")
    if not all(isinstance(name, str) for name in data.get("keywords", {})):
        raise MalformedData("a report with keywords that are not texts")
    for name in data:
        if name in _RESERVED or callable(getattr(pytest.TestReport, name, None)):
            raise MalformedData(f"a report with the attribute {name!r}")
