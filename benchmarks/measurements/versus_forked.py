"""Whole sessions of 300 trivial tests: what isolating them adds, next to pytest-forked.

Other peers are measured along with it: pytest-isolate forks, too, pytest-isolated starts an interpreter for
each test, of which there are fewer therefore, and pytest-xdist isolates nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import FORKED, ISOLATE, ISOLATED, OURS, OURS_8, PLAIN, PLAIN_8, XDIST

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 300
_FEW_TESTS = 20


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for peer in (PLAIN_8, FORKED, OURS_8):
        laboratory.keep_session(f"300 trivial, {peer.name}", laboratory.session(peer, _TESTS))
    for peer in (ISOLATE, XDIST):
        laboratory.try_session(f"300 trivial, {peer.name}", peer, _TESTS)
    for peer in (PLAIN, ISOLATED, OURS):
        laboratory.try_session(f"{_FEW_TESTS} trivial, {peer.name}", peer, _FEW_TESTS)


def value(laboratory: Laboratory) -> float:
    """Return the ratio of what they add to a plain session; a sandbox's start-up counts."""
    plain, forked, ours = (
        laboratory.median(f"300 trivial, {peer.name} (ms)") for peer in (PLAIN_8, FORKED, OURS_8)
    )
    return (ours - plain) / (forked - plain)
