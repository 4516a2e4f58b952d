"""How what happened in a sandbox becomes what the phases of an item did here.

The hook of a phase raises :class:`RemotePhase`, and when pytest asks for a report of that, it gets the one
from the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..tracebacks import take_out_own_frames


class RemotePhase(BaseException):
    """Raised in a phase's hook to keep it from running here: it ran in the sandbox.

    *settled* says that the hooks which see a report when it is made have seen this one in the sandbox.
    """

    def __init__(
        self, report: pytest.TestReport, error: BaseException | None, *, settled: bool
    ) -> None:
        super().__init__("this phase ran in a sandbox")
        self.report = report
        self._error = error
        self._settled = _copy(vars(report)) if settled else {}

    def excinfo(self) -> pytest.ExceptionInfo[BaseException] | None:
        """Return what ended the phase in there, as pytest wants it."""
        if self._error is None or self._error.__traceback__ is None:
            return None
        return pytest.ExceptionInfo.from_exception(self._error)

    def settle(self, report: pytest.TestReport) -> None:
        """Undo what hooks have changed in the *report* that they had changed in the sandbox already."""
        vars(report).update(_copy(self._settled))


def _copy(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return *attributes*, those that can be appended to as copies."""
    return {
        name: type(value)(value) if type(value) in (list, dict) else value
        for name, value in attributes.items()
    }


class RemoteReports:
    """A plugin around all others that makes the reports of phases that ran in sandboxes."""

    def __init__(self) -> None:
        self._phase: RemotePhase | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Show the others what ended the phase in the sandbox, and keep the report as it came."""
        error = None if call.excinfo is None else call.excinfo.value
        if not isinstance(error, RemotePhase):
            take_out_own_frames(call)
            return (yield)
        call.excinfo = error.excinfo()
        self._phase = error
        try:
            report: Any = yield
        finally:
            self._phase = None
        error.settle(report)
        return report  # type: ignore[no-any-return]

    def report(self) -> pytest.TestReport | None:
        """Return the report that is being made, if it is of a phase that ran in a sandbox."""
        return None if self._phase is None else self._phase.report


class ReportSource:
    """A plugin in the midst of all others, in the place of what makes reports."""

    def __init__(self, reports: RemoteReports) -> None:
        self._reports = reports

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self) -> pytest.TestReport | None:
        """Return the report that came from the sandbox."""
        return self._reports.report()
