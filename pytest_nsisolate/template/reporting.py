"""Reports, warnings and the end of a test, sent to the host as data."""

from __future__ import annotations

import linecache
import socket
import warnings
from typing import Any

import pytest

from ..pytest_private import failed_subtests
from ..wire import frames
from ..wire.data import dump
from ..wire.exceptions import to_data
from ..wire.limits import SECTION_LIMIT
from .measuring import Measurement


class Reporter:
    """A plugin that sends what pytest reports of a running item to the host."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: socket.socket | None = None
        self._deducted = 0.0
        self._excinfo: dict[str, Any] | None = None
        self._measurement: Measurement | None = None

    def measure_with(self, measurement: Measurement | None) -> None:
        """Send what *measurement* has measured, too."""
        self._measurement = measurement

    def report_to(self, results: socket.socket | None) -> None:
        """Send reports to *results* from here on, or to nobody."""
        self._results = results

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
        """Remember the phase's exception."""
        self._excinfo = None if call.excinfo is None else to_data(call.excinfo.value)
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a phase's report, or one that was logged during a phase (a subtest's).

        First, because what other plugins change in it while they log it, they change on the host as well.
        """
        if self._results is None:
            return
        is_phase = type(report) is pytest.TestReport
        if is_phase and report.when == "setup":
            report.duration = max(0.0, report.duration - self._deducted)
        report.sections = [(name, _limited(text)) for name, text in report.sections]
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        # Kinds of longrepr that cannot be taken apart cross as their text.
        opaque = isinstance(data.get("longrepr"), str) and not isinstance(report.longrepr, str)
        exception = self._excinfo if is_phase else None
        message = {
            "report": data,
            "exception": exception,
            "opaque": opaque,
            "failed_subtests": failed_subtests(self._config, report),
        }
        kind = frames.REPORT if is_phase else frames.LOG_REPORT
        frames.send(self._results, kind, dump(message))

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """Send a warning."""
        if self._results is None:
            return
        category = warning_message.category
        data = {
            "text": str(warning_message.message),
            "module": category.__module__,
            "name": category.__qualname__,
            "filename": warning_message.filename,
            "lineno": warning_message.lineno,
            "line": linecache.getline(warning_message.filename, warning_message.lineno).strip(),
            "when": when,
            "nodeid": nodeid,
            "location": location,
        }
        frames.send(self._results, frames.WARNING, dump(data))

    def stop(self, error: BaseException) -> None:
        """Send that the whole session is to stop."""
        if self._results is None:
            return
        data = {
            "kind": type(error).__name__,
            "text": str(error),
            "returncode": getattr(error, "returncode", None),
        }
        frames.send(self._results, frames.STOP, dump(data))

    def done(self) -> None:
        """Send that everything was sent."""
        self.measured()
        if self._results is not None:
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
            self._results.recv(frames.HEADER, socket.MSG_WAITALL)
        return True

    def measured(self) -> None:
        """Send what was measured."""
        if self._results is not None and self._measurement is not None:
            frames.send(self._results, frames.COVERAGE, dump(self._measurement.take()))


def _limited(text: str) -> str:
    if len(text) <= SECTION_LIMIT:
        return text
    left_out = len(text) - SECTION_LIMIT
    half = SECTION_LIMIT // 2
    return (
        f"{text[:half]}\n[... {left_out} characters left out by pytest-nsisolate ...]\n"
        f"{text[-half:]}"
    )
