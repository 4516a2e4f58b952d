"""A session with one test, isolated and not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS, PLAIN

if TYPE_CHECKING:
    from ..laboratory import Laboratory


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for peer in (PLAIN, OURS):
        session = laboratory.session(peer, 1)
        laboratory.keep_session(f"one test, {peer.name}", session)


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what isolation adds to the plain session."""
    plain = laboratory.median("one test, plain (ms)")
    return (laboratory.median("one test, nsisolate (ms)") - plain) / plain
