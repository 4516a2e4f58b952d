"""A plugin for the compared runs: it writes down all that is in each report, for another process."""

# mypy: ignore-errors

import json
import os
import re

import pytest


def plain(value):
    """Return *value* without what differs between any two runs, or by the tests before: asyncio counts tasks."""
    text = json.dumps(value, default=repr, sort_keys=True)
    return re.sub(r"0x[0-9a-f]+|Task-\d+|pytest-of-[^/\"]*/pytest-\d+|<CaptureManager [^\\\\]*", "", text)


def write(record):
    with open(os.environ["CORPUS_RECORD"], "a") as file:
        file.write(plain(record) + "\n")


RAISED = {}


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    is_phase = type(report) is pytest.TestReport
    write({
        "id": report.nodeid,
        "when": report.when,
        "outcome": report.outcome,
        "text": report.longreprtext,
        "longrepr": type(report.longrepr).__name__ if isinstance(report.longrepr, tuple) else "",
        "sections": report.sections,
        "keywords": sorted(report.keywords),
        # Names cross as the texts that junitxml makes of them.
        "properties": [(str(name), value) for name, value in report.user_properties],
        "location": report.location,
        "wasxfail": getattr(report, "wasxfail", None),
        "extras": getattr(report, "extras", None),
        "item": repr(getattr(report, "item", None)) if is_phase else "",
        "raised": RAISED.pop(report.nodeid, None) if is_phase else None,
        "times": 0 <= report.duration < 60 and report.start <= report.stop,
        "kind": type(report).__name__,
    })


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    # Of a subtest's, too, but in the process that it runs in only: so the last one before a report counts.
    RAISED.pop(item.nodeid, None)
    excinfo = call.excinfo
    if excinfo is not None:
        value = excinfo.value
        RAISED[item.nodeid] = {
            "type": excinfo.typename,
            "module": type(value).__module__,
            "exconly": excinfo.exconly(),
            "ends at": [str(excinfo.traceback[-1].path), excinfo.traceback[-1].lineno],
        }
    return report


def pytest_warning_recorded(warning_message, when, nodeid, location):
    write({
        "id": nodeid,
        "when": when,
        "warning": str(warning_message.message),
        "is warning": isinstance(warning_message.message, Warning),
        "category": warning_message.category.__name__,
        "place": [warning_message.filename, warning_message.lineno],
    })
