"""Results as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .figures import Figure

if TYPE_CHECKING:
    from .metrics import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a metric came to."""

    metric: Metric
    value: float

    @property
    def holds(self) -> bool:
        """Whether the bound is met."""
        return self.metric.holds(self.value)


def table(results: Sequence[Result]) -> str:
    """Return the table of bounds."""
    lines = ["| Metric | Must | Moonshot | Reached | |", "|---|---|---|---|---|"]
    for result in results:
        metric = result.metric
        sign = "≥" if metric.at_least else "≤"
        moonshot = "" if metric.moonshot is None else f"{sign} {metric.moonshot:g}"
        verdict = "yes" if result.holds else "**no**"
        lines.append(
            f"| {metric.title} | {sign} {metric.must:g} | {moonshot} | {result.value:.2f} | {verdict} |"
        )
    return "\n".join(lines)


def samples_table(samples: Mapping[str, Sequence[float]]) -> str:
    """Return the table of what was measured."""
    lines = ["| Measured | Median | p90 | Samples |", "|---|---|---|---|"]
    for name, values in samples.items():
        found = re.fullmatch(r"(.*) \((\w+)\)", name)
        title, unit = (found[1], found[2]) if found else (name, "")
        figure = Figure(unit=unit, samples=tuple(values))
        count = len(values)
        lines.append(
            f"| {title} | {figure.median:.1f} {unit} | {figure.p90:.1f} {unit} | {count} |"
        )
    return "\n".join(lines)
