"""What a large template costs: its pages are shared with every clone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 200
#: Megabytes of Python objects; a template without any has about 30.
_SIZES = {"30 MB": 0, "300 MB": 270, "1 GB": 970}


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for name, ballast in _SIZES.items():
        session = laboratory.session(
            OURS, _TESTS, BENCHMARK_BALLAST=str(ballast), BENCHMARK_PAUSE="0.003"
        )
        laboratory.keep(f"template of {name} (us)", *session.latencies())
        laboratory.keep(f"template of {name} (KiB)", session.peak)


def value(laboratory: Laboratory) -> float:
    """Return the ratio of the largest to the smallest."""
    return laboratory.median("template of 1 GB (us)") / laboratory.median("template of 30 MB (us)")
