"""10,000 tests in one session."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from ..peers import OURS

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 10_000
_AROUND = 50


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    session = laboratory.session(OURS, _TESTS)
    latencies = session.latencies(skip=0)
    laboratory.keep("10,000 tests (KiB)", session.peak)
    laboratory.keep("test 100 (us)", statistics.median(latencies[100 - _AROUND : 100 + _AROUND]))
    laboratory.keep("test 10,000 (us)", statistics.median(latencies[-2 * _AROUND :]))
    for name, before, after in zip(
        ("pytest", "template"), session.memory[0], session.memory[-1], strict=True
    ):
        laboratory.keep(f"growth of {name} from test 1,000 to 10,000 (KiB)", after - before)


def value(laboratory: Laboratory) -> float:
    """Return the ratio."""
    return laboratory.median("test 10,000 (us)") / laboratory.median("test 100 (us)")
