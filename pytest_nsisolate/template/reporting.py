"""Reports, warnings and the end of a test, sent to the host as data."""

from __future__ import annotations

import linecache
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .. import adapters
from ..pytest_private import failed_subtests
from ..pytest_private_output import Terminal, as_printed, writes_through
from ..tracebacks import take_out_own_frames
from ..wire import frames
from ..wire.data import as_json, dump, is_data, text_of
from ..wire.exceptions import to_data
from ..wire.limits import SECTION_LIMIT
from .measuring import Measurement
from .stopping import describe_stop

#: What every report has; if a value in there is no data, its text crosses.
_OF_PYTEST = ("keywords", "location", "longrepr", "sections", "user_properties")


class Reporter:
    """A plugin that sends what pytest reports of a running item to the host."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._terminal: Terminal | None = None
        self._results: socket.socket | None = None
        self._deducted = 0.0
        self._is_made = True
        self._excinfo: dict[str, Any] | None = None
        self._behind = False
        self._received = bytearray()
        self._kept: list[tuple[int, object]] | None = None
        self._measurement: Measurement | None = None

    def measure_with(self, measurement: Measurement | None) -> None:
        """Send what *measurement* has measured, too."""
        self._measurement = measurement

    def report_to(self, results: socket.socket | None) -> None:
        """Send reports to *results* from here on, or to nobody."""
        self._results = results
        if self._terminal is not None:
            self._terminal.restore_state({})
        self._behind = False

    def share(self, terminal: Terminal) -> None:
        """Report what is written to the *terminal* from here on."""
        self._terminal = terminal

    def await_host(self) -> None:
        """Wait until the host has printed what it has to print, if both of us print to one terminal."""
        if self._results is not None and self._behind and writes_through(self._config):
            self._behind = False
            self._await(frames.PRINTED)

    def deduct(self, seconds: float) -> None:
        """Take *seconds* from the duration of the set-up: the sandbox's making is not the test's."""
        self._deducted = seconds

    def disown(self) -> None:
        """Report nothing any more: this is a fork of the test, and not the test."""
        if self._results is not None:
            self._results.close()
            self._results = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        """Remember the phase's exception, which may not be there (unittest's) until a report is made."""
        take_out_own_frames(call)
        self._is_made = False
        try:
            report = yield
        finally:
            self._is_made = True
        self._excinfo = None if call.excinfo is None else to_data(call.excinfo.value)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a phase's report, or one that was logged during a phase (a subtest's).

        First, because what other plugins change in it while they log it, they change on the host as well.
        """
        if self._results is None:
            return
        # What is logged while a phase's report is being made is not that one yet (pytest-retry's "retried").
        is_phase = type(report) is pytest.TestReport and self._is_made
        if is_phase and report.when == "setup":
            report.duration = max(0.0, report.duration - self._deducted)
        report.sections = [(name, _limited(text)) for name, text in report.sections]
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        for name in [n for n in data if n not in _OF_PYTEST and not is_data(data[n])]:
            # What a hook put on the report and cannot cross, the same hook puts on it on the host.
            del data[name]
        data["user_properties"] = [_named(pair) for pair in report.user_properties]
        # Kinds of longrepr that cannot be taken apart cross as their text.
        opaque = isinstance(data.get("longrepr"), str) and not isinstance(report.longrepr, str)
        exception = self._excinfo if is_phase else None
        message = {
            "report": data,
            "exception": exception,
            "opaque": as_printed(report.longrepr, self._config) if opaque else None,
            "failed_subtests": failed_subtests(self._config, report),
            "terminal": self._terminal.take_state() if self._terminal else {},
        }
        kind = frames.REPORT if is_phase else frames.LOG_REPORT
        frames.send(self._results, kind, dump(message))
        self._behind = True
        if not is_phase:
            self.await_host()

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """Send a warning."""
        category = warning_message.category
        message = warning_message.message
        data = {
            "text": text_of(message),
            "message": to_data(message if isinstance(message, Warning) else Warning(message)),
            "module": category.__module__,
            "name": category.__qualname__,
            "filename": warning_message.filename,
            "lineno": warning_message.lineno,
            "line": linecache.getline(warning_message.filename, warning_message.lineno).strip(),
            "source": warning_message.source is not None,
            "when": when,
            "nodeid": nodeid,
            "location": location,
        }
        self._tell(frames.WARNING, data)

    def record_xml(self, attribute: bool, name: str, value: object) -> None:
        """Send what a test recorded for ``--junitxml``."""
        self._tell(frames.XML, {"attribute": attribute, "name": name, "value": str(value)})

    def record_cached(self, key: str, value: object) -> None:
        """Send what a test put into pytest's cache."""
        self._tell(frames.CACHE, {"key": key, "value": as_json(value)})

    def _tell(self, kind: int, data: object) -> None:
        if self._results is not None:
            frames.send(self._results, kind, dump(data))
        elif self._kept is not None:
            self._kept.append((kind, data))

    @contextmanager
    def keeping(self) -> Iterator[list[tuple[int, object]]]:
        """Keep what would be sent if a test were running, and give it to the caller."""
        kept: list[tuple[int, object]] = []
        self._kept = kept
        try:
            yield kept
        finally:
            self._kept = None

    def stop(self, error: BaseException) -> None:
        """Send that the whole session is to stop."""
        self._tell(frames.STOP, describe_stop(error))

    def done(self) -> None:
        """Send that everything was sent."""
        self.measured()
        if self._results is not None:
            collected = adapters.collected(self._config)
            if collected:
                frames.send(self._results, frames.COLLECTED, dump(collected))
            frames.send(self._results, frames.DONE)

    def guard(self) -> None:
        """In a clone: see to it that what was measured is sent, however the test ends."""
        if self._measurement is not None:
            self._measurement.guard(self.measured)

    def debugger(self, event: str) -> bool:
        """Tell the host what a debugger does, and wait until it may; False where no item is running."""
        if self._results is None:
            return False
        frames.send(self._results, frames.DEBUGGER, dump(event))
        if event != "left":
            self._await(frames.GO)
        return True

    def _await(self, kind: int) -> None:
        assert self._results is not None
        while kind not in self._received:
            received = frames.receive_kind(self._results)
            self._received.append(kind if received is None else received)
        self._received.remove(kind)

    def measured(self) -> None:
        """Send what was measured."""
        if self._results is not None and self._measurement is not None:
            frames.send(self._results, frames.COVERAGE, dump(self._measurement.take()))


def _named(pair: object) -> object:
    """Return a property with the text of its name, as junitxml writes it; what is no pair as it is."""
    if type(pair) is tuple and len(pair) == 2:
        return text_of(pair[0]), pair[1]
    return pair


def _limited(text: str) -> str:
    if len(text) <= SECTION_LIMIT:
        return text
    left_out = len(text) - SECTION_LIMIT
    half = SECTION_LIMIT // 2
    return (
        f"{text[:half]}\n[... {left_out} characters left out by pytest-nsisolate ...]\n"
        f"{text[-half:]}"
    )
