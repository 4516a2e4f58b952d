"""The teardown of wider scopes, in a template or here, as a part of a test's teardown phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..pytest_private_output import go_on_in_line
from ..wire.exceptions import from_data
from .malformed import MALFORMED
from .replay import replay_of, stop_of
from .reports import check_longrepr, check_report

#: The sections that pytest itself adds, in this order, before those of hooks.
_SECTIONS = tuple(f"Captured {name} teardown" for name in ("stdout", "stderr", "log"))


class TornDown:
    """How the teardown of wider scopes after an item went: its *report* and what ended it, if it was here."""

    def __init__(
        self, report: pytest.TestReport | None = None, error: BaseException | None = None
    ) -> None:
        self._report: Any = report
        self._replays: list[Callable[[], object]] = []
        self.problem = "" if report is None else report.longreprtext
        #: What ended the phase.
        self.error = error

    def read(self, item: pytest.Item, data: dict[str, Any]) -> None:
        """Take what a template says of its teardown after *item*."""
        try:
            self._read(item, data)
        except MALFORMED as error:
            self.problem = f"the teardown of wider scopes reported malformed data: {error}"

    def _read(self, item: pytest.Item, data: dict[str, Any]) -> None:
        self.problem = str(data.get("problem", ""))
        if data.get("report"):
            check_report(data["report"])
            hook = item.config.hook
            self._report = hook.pytest_report_from_serializable(
                config=item.config, data=data["report"]
            )
            check_longrepr(self._report)
            self.problem = self._report.longreprtext
        if data.get("exception"):
            self.error = from_data(data["exception"])
        self._replays = [replay_of(item, kind, message) for kind, message in data.get("told", ())]
        if data.get("stop"):
            self._replays.append(stop_of(data["stop"]))
        if "terminal" in data:
            go_on_in_line(item.config, str(data["terminal"].get("line", "")))

    def replay(self) -> None:
        """Do here what else happened: warnings, properties, the wish to stop."""
        for replay in self._replays:
            replay()

    def merge_into(self, report: pytest.TestReport) -> None:
        """Make this part of the teardown *report* of the item after which it happened."""
        if self._report is not None:
            report.duration += self._report.duration
            report.stop = max(report.stop, self._report.stop)
            for name, text in self._report.sections:
                _add_output(report, name, text)
        if not self.problem:
            return
        if report.failed:
            report.sections.append(("teardown of wider scopes", self.problem))
            return
        if self._report is None:
            report.outcome, report.longrepr = "failed", self.problem
            return
        report.outcome = "skipped" if self._report.skipped else "failed"
        report.longrepr = self._report.longrepr
        if hasattr(self._report, "wasxfail"):
            report.wasxfail = self._report.wasxfail


def _add_output(report: pytest.TestReport, name: str, text: str) -> None:
    """Add to the section *name* what was printed after what is in it, or add it where pytest would."""
    for number, (other, before) in enumerate(report.sections):
        if other == name:
            between = "\n" if name == _SECTIONS[-1] else ""
            report.sections[number] = (name, before + between + text)
            return
    names = [other for other, _text in report.sections]
    following = _SECTIONS[_SECTIONS.index(name) + 1 :] if name in _SECTIONS else ()
    places = [names.index(other) for other in following if other in names]
    captured = [n + 1 for n, other in enumerate(names) if other.startswith("Captured ")]
    place = places[0] if places else max(captured, default=0)
    report.sections.insert(place, (name, text))
