"""Reports from a sandbox, checked, and made to be what they would have been here."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ..pytest_private import OpaqueRepr, mend_subtest, set_failed_subtests, share_id
from ..pytest_private_output import KINDS_OF_TERMINAL
from ..wire.data import MalformedData

_OUTCOMES = ("passed", "failed", "skipped")
_OUTCOME_LIMIT = 40
_PHASES = ("setup", "call", "teardown")

#: Seconds since 1970, or of a test, are fewer.
_SECONDS_LIMIT = 1e12

#: What the host's own plugins (xdist, and we) put on reports, and believe.
_RESERVED = ("node", "worker_id", "item_index", "nsisolate_cost")


def rebuild(item: pytest.Item, message: Any) -> pytest.TestReport:
    """Return the report of *item* in *message*. Raises MalformedData.

    A test speaks for itself only: a report of another one is refused before anything is made of it.
    """
    data = message["report"]
    if data["nodeid"] != item.nodeid:
        raise MalformedData(f"a report of {data['nodeid']!r}")
    check_report(data)
    _share_texts(data, item)
    config = item.config
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    if not isinstance(report, pytest.TestReport):
        raise MalformedData("something that is not a test's report")
    printed = message.get("opaque")
    if printed is not None and isinstance(report.longrepr, str):
        report.longrepr = OpaqueRepr(report.longrepr, printed=str(printed))
    share_id(report, item)
    mend_subtest(report, data)
    check_longrepr(report)
    failed = message.get("failed_subtests", 0)
    if type(failed) is not int or failed < 0:
        raise MalformedData(f"{failed!r} failed subtests")
    set_failed_subtests(config, report, failed)
    return report


def _share_texts(data: Any, item: pytest.Item) -> None:
    """Have the same text once: pytest keeps all reports, three of each test."""
    # Where the item is, the host knows.
    data.update(nodeid=item.nodeid, location=item.location)
    for name in ("outcome", "when"):
        data[name] = sys.intern(data[name])
    if "keywords" in data:
        data["keywords"] = {sys.intern(name): value for name, value in data["keywords"].items()}


def check_report(data: Any) -> None:
    """Raise MalformedData, or what wrong data raises, if *data* is not what a report is made of."""
    if not _is_outcome(data["outcome"]) or data["when"] not in _PHASES:
        raise MalformedData(f"a report of {data['when']!r} with the outcome {data['outcome']!r}")
    for name in ("duration", "start", "stop"):
        value = data.get(name, 0.0)
        # Comparing excludes what is not a number, and infinity.
        if type(value) not in (int, float) or not abs(value) < _SECONDS_LIMIT:
            raise MalformedData(f"a report with the {name} {value!r}")
    _check_members(data)
    for name in data:
        reserved = name in _RESERVED or name.startswith("__")
        if reserved or callable(getattr(pytest.TestReport, name, None)):
            raise MalformedData(f"a report with the attribute {name!r}")


def _is_outcome(outcome: object) -> bool:
    """Tell whether this is pytest's outcome of a test, or one of a plugin's ("retried").

    It is what the terminal counts by, and there what it does not count tests by (warnings) is not a test's.
    """
    if not isinstance(outcome, str) or outcome in _OUTCOMES:
        return isinstance(outcome, str)
    short = 0 < len(outcome) <= _OUTCOME_LIMIT and outcome.isprintable()
    return short and outcome not in KINDS_OF_TERMINAL


def _check_members(data: Any) -> None:
    for name, members in (("sections", (str, str)), ("user_properties", (str, object))):
        for pair in data.get(name, ()):
            if type(pair) not in (list, tuple) or len(pair) != 2:
                raise MalformedData(f"a report with {name} that are not pairs")
            if not all(map(isinstance, pair, members)):
                raise MalformedData(f"a report with {name} that are not pairs")
    keywords = data.get("keywords", {})
    if type(keywords) is not dict or not all(isinstance(name, str) for name in keywords):
        raise MalformedData("a report with keywords that are not texts")
    if type(data.get("wasxfail", "")) is not str:
        raise MalformedData("a report with a wasxfail that is not a text")


def check_longrepr(report: pytest.TestReport) -> None:
    """Refuse what cannot be printed: that would be found out at the session's end, and end it there."""
    longrepr: Any = report.longrepr
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        path, line, reason = longrepr
        if (type(path), type(line), type(reason)) != (str, int, str):
            raise MalformedData("a report of a skip without path, line and reason")
        return
    if longrepr is None or isinstance(longrepr, str):
        return
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None and (type(crash.path), type(crash.message)) != (str, str):
        raise MalformedData("a report of a failure without path and message")
    try:
        text = report.longreprtext
    except Exception as error:
        raise MalformedData(f"a report that cannot be printed: {error}") from None
    if not hasattr(longrepr, "toterminal") or type(text) is not str:
        raise MalformedData("a report that cannot be printed")
