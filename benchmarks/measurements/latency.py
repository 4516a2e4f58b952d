"""Tests with 3 ms between them, as when the host has something else to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS, PLAIN

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 300


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for peer in (PLAIN, OURS):
        session = laboratory.session(peer, _TESTS, BENCHMARK_PAUSE="0.003")
        laboratory.keep(f"latency, {peer.name} (us)", *session.latencies())
    laboratory.keep("latency, floor (us)", *laboratory.floor("-n", str(_TESTS), "-s", "3000"))


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what we add to a plain test to the floor's container."""
    added = laboratory.median("latency, nsisolate (us)") - laboratory.median("latency, plain (us)")
    return added / laboratory.median("latency, floor (us)")
