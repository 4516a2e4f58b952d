"""One stream of tests and two, on two cores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS_XDIST

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 1000


def measure(laboratory: Laboratory) -> None:
    """Measure a round; sessions of one test are measured, too, to take the start-up off."""
    for workers in (0, 1, 2, 4):
        for count in (4, _TESTS):
            session = laboratory.session(OURS_XDIST, count, "-n", str(workers))
            laboratory.keep_session(f"-n {workers}, {count} tests", session)


def value(laboratory: Laboratory) -> float:
    """Return how much faster two streams are than one."""
    one, two = (
        laboratory.median(f"-n {workers}, {_TESTS} tests (ms)")
        - laboratory.median(f"-n {workers}, 4 tests (ms)")
        for workers in (0, 2)
    )
    return one / two
