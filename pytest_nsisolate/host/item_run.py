"""What the hooks of an isolated item's phases have to do with, and what there is without a sandbox."""

from __future__ import annotations

from typing import Protocol

import pytest

from .crash import passed_report
from .phases import RemotePhase


class ItemRun(Protocol):
    """What the hooks of an isolated item's phases have to do with."""

    def phase(self, when: str) -> pytest.TestReport:
        """Return the report of the phase *when*."""
        ...

    def remote_phase(self, when: str, report: pytest.TestReport) -> RemotePhase:
        """Return what stands for the phase *when*, whose report is *report*."""
        ...

    def blame(self, when: str, error: BaseException | None) -> None:
        """Note that a phase which had been without one ended with an exception after all."""
        ...

    def finish(self) -> str:
        """End the run; return what was wrong with its end, or an empty string."""
        ...

    def cost(self) -> dict[str, float] | None:
        """Return what the sandbox cost, if that is known."""
        ...


class NoRun:
    """Stands in where there is no sandbox: its set-up failed or was skipped, the rest is nothing."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._errors: dict[str, BaseException | None] = {}

    def phase(self, when: str) -> pytest.TestReport:
        """Return the report of a phase in which nothing had to be done."""
        return passed_report(self._item, when)

    def remote_phase(self, when: str, report: pytest.TestReport) -> RemotePhase:
        """Return what stands for the phase: no hook has seen the report."""
        return RemotePhase(report, self._errors.get(when), settled=False)

    def blame(self, when: str, error: BaseException | None) -> None:
        """Note what wider scopes have raised."""
        self._errors[when] = error

    def finish(self) -> str:
        """Do nothing."""
        return ""

    def cost(self) -> dict[str, float] | None:
        """Return None: there was no sandbox."""
        return None
