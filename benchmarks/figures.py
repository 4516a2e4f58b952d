"""Medians and percentiles."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Samples of one thing that was measured."""

    unit: str
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle sample."""
        return statistics.median(self.samples)

    @property
    def p90(self) -> float:
        """The sample that 90 % are not above."""
        return percentile(self.samples, 90)


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that *percent* of them are not above."""
    ordered = sorted(samples)
    position = max(0, -(-len(ordered) * percent // 100) - 1)
    return ordered[int(position)]
