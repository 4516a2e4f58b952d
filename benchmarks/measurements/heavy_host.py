"""The same when numpy and pandas are imported and the host holds 500 MB of Python objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import FORKED, OURS_8, PLAIN_8

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 100


def measure(laboratory: Laboratory) -> None:
    """Measure a round: from test to test, because a heavy start-up would drown it all."""
    for peer in (PLAIN_8, FORKED, OURS_8):
        session = laboratory.session(
            peer, _TESTS, BENCHMARK_HEAVY="1", BENCHMARK_HOST_BALLAST="500"
        )
        laboratory.keep(f"heavy host, {peer.name} (us)", *session.rates())
        laboratory.keep(f"heavy host, {peer.name} (KiB)", session.peak)


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what they add to a plain test."""
    plain, forked, ours = (
        laboratory.median(f"heavy host, {peer.name} (us)") for peer in (PLAIN_8, FORKED, OURS_8)
    )
    return (ours - plain) / (forked - plain)
