"""What sandboxes cost, next to what the tests in them took: ``--durations`` and ``--nsisolate-stats``.

The numbers travel on the report of a test's teardown, so that they reach xdist's controller as well.
"""

from __future__ import annotations

from typing import Any

import pytest

from .options import slowest
from .pytest_private import least_duration

#: The attribute of a teardown's report that has the numbers of :class:`Cost`.
ATTRIBUTE = "nsisolate_cost"

_TOP = 10


class Cost:
    """The cost of one sandbox: seconds of *set_up* (before the test) and *end* (after it), and of the *test*.

    *cpu* is in seconds and *peak* in KiB, of the test's process and the children that it has waited for.
    """

    def __init__(self, nodeid: str, numbers: dict[str, Any]) -> None:
        self.nodeid = nodeid
        self.set_up = float(numbers["set_up"])
        self.end = float(numbers["end"])
        self.test = float(numbers["test"])
        self.cpu = float(numbers["cpu"])
        self.peak = int(numbers["peak"])

    @property
    def sandbox(self) -> float:
        """Seconds that the sandbox took by itself."""
        return self.set_up + self.end


def add_cost(report: pytest.TestReport, numbers: dict[str, float]) -> None:
    """Let the report of a teardown carry what the sandbox cost."""
    setattr(report, ATTRIBUTE, numbers)


class Costs:
    """Collects costs and prints them at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._costs: list[Cost] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what came with the report of a teardown."""
        numbers = getattr(report, ATTRIBUTE, None)
        if numbers is not None:
            self._costs.append(Cost(report.nodeid, numbers))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what is wanted."""
        if not self._costs:
            return
        number = slowest(self._config)
        if number is not None:
            self._print_durations(terminalreporter, number)
        if self._config.option.nsisolate_stats:
            self._print_stats(terminalreporter)

    def _print_durations(self, reporter: pytest.TerminalReporter, number: int) -> None:
        least = least_duration(self._config)
        costs = sorted(self._costs, key=lambda cost: cost.sandbox, reverse=True)
        shown = [c for c in costs[: number or None] if c.sandbox >= least]
        reporter.section(f"slowest {number} sandboxes" if number else "slowest sandboxes", "=")
        for cost in shown:
            reporter.write_line(
                f"{cost.sandbox:.3f}s sandbox  {cost.nodeid} "
                f"(set-up {cost.set_up:.3f}s, end {cost.end:.3f}s)"
            )
        if len(shown) < len(costs[: number or None]):
            hidden = len(costs[: number or None]) - len(shown)
            reporter.write_line(
                f"\n({hidden} sandboxes < {least:g}s hidden.  Use -vv to show these.)"
            )

    def _print_stats(self, reporter: pytest.TerminalReporter) -> None:
        reporter.section("cost of the sandboxes", "=")
        reporter.write_line(f"{_count(len(self._costs), 'test')}, each in a sandbox of its own")
        reporter.write_line(f"{'':12}{'total':>12}{'median':>12}{'p90':>12}")
        for name, values in (
            ("set-up", [c.set_up for c in self._costs]),
            ("end", [c.end for c in self._costs]),
            ("sandbox", [c.sandbox for c in self._costs]),
            ("test", [c.test for c in self._costs]),
            ("CPU of tests", [c.cpu for c in self._costs]),
        ):
            reporter.write_line(
                f"{name:12}{_seconds(sum(values)):>12}{_seconds(_part(values, 50)):>12}"
                f"{_seconds(_part(values, 90)):>12}"
            )
        peaks = [float(c.peak) for c in self._costs]
        reporter.write_line(
            f"{'peak memory':12}{_mebibytes(max(peaks)):>12}{_mebibytes(_part(peaks, 50)):>12}"
            f"{_mebibytes(_part(peaks, 90)):>12}"
        )
        reporter.write_line("")
        reporter.write_line(
            f"{'sandbox':>12}{'test':>12}{'CPU':>12}{'memory':>12}  the most expensive"
        )
        costs = sorted(self._costs, key=lambda cost: cost.sandbox + cost.cpu, reverse=True)
        for cost in costs[:_TOP]:
            reporter.write_line(
                f"{_seconds(cost.sandbox):>12}{_seconds(cost.test):>12}{_seconds(cost.cpu):>12}"
                f"{_mebibytes(cost.peak):>12}  {cost.nodeid}"
            )


def _part(values: list[float], percent: int) -> float:
    """Return the smallest value that *percent* of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.2f} ms"


def _mebibytes(kib: float) -> str:
    return f"{kib / 1024:.1f} MiB"
