"""Test after test without a pause, next to the floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS, PLAIN

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 300


def measure(laboratory: Laboratory) -> None:
    """Measure a round with the default sandbox."""
    laboratory.keep("back-to-back, plain (us)", *laboratory.session(PLAIN, _TESTS).rates())
    laboratory.keep("back-to-back, nsisolate (us)", *laboratory.session(OURS, _TESTS).rates())
    laboratory.keep("back-to-back, floor (us)", *laboratory.floor("-n", str(_TESTS)))


def measure_full(laboratory: Laboratory) -> None:
    """Measure a round with a network namespace of each test's own, too."""
    full = laboratory.session(OURS, _TESTS, "-o", "nsisolate_network=none")
    laboratory.keep("full, plain (us)", *laboratory.session(PLAIN, _TESTS).rates())
    laboratory.keep("full, nsisolate (us)", *full.rates())
    laboratory.keep("full, floor (us)", *laboratory.floor("-n", str(_TESTS), "-i"))


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what we add to a plain test to the floor's container."""
    return _added("back-to-back", laboratory)


def value_full(laboratory: Laboratory) -> float:
    """Return the same for the full sandbox."""
    return _added("full", laboratory)


def _added(name: str, laboratory: Laboratory) -> float:
    added = laboratory.median(f"{name}, nsisolate (us)") - laboratory.median(f"{name}, plain (us)")
    return added / laboratory.median(f"{name}, floor (us)")
