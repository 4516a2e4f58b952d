"""Whole sessions of 300 trivial tests: what isolating them adds, next to pytest-forked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import FORKED, OURS_8, PLAIN_8

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 300


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for peer in (PLAIN_8, FORKED, OURS_8):
        session = laboratory.session(peer, _TESTS)
        laboratory.keep(f"300 trivial, {peer.name} (ms)", session.seconds * 1e3)


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what they add to a plain session; a sandbox's start-up counts."""
    plain, forked, ours = (
        laboratory.median(f"300 trivial, {peer.name} (ms)") for peer in (PLAIN_8, FORKED, OURS_8)
    )
    return (ours - plain) / (forked - plain)
