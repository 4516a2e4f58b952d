"""A plugin for the compared runs: it writes down all that is in each report, for another process."""

# As users write: not in the style of this project.
# ruff: noqa: ARG001, D103, INP001
# mypy: ignore-errors
# fmt: off

import json
import os
import re


def plain(value):
    """Return *value* without what differs between any two runs: addresses, temporary directories."""
    text = json.dumps(value, default=repr, sort_keys=True)
    return re.sub(r"0x[0-9a-f]+|pytest-of-[^/\"]*/pytest-\d+", "", text)


def pytest_runtest_logreport(report):
    record = {
        "id": report.nodeid,
        "when": report.when,
        "outcome": report.outcome,
        "text": report.longreprtext,
        "sections": report.sections,
        "keywords": sorted(report.keywords),
        "properties": report.user_properties,
        "location": report.location,
        "wasxfail": getattr(report, "wasxfail", None),
        "kind": type(report).__name__,
    }
    with open(os.environ["CORPUS_RECORD"], "a") as file:
        file.write(plain(record) + "\n")


def pytest_warning_recorded(warning_message, when, nodeid, location):
    category = warning_message.category.__name__
    record = {
        "id": nodeid,
        "when": when,
        "warning": str(warning_message.message),
        "category": category,
    }
    with open(os.environ["CORPUS_RECORD"], "a") as file:
        file.write(plain(record) + "\n")
