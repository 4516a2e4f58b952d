"""A session of plain tests, with the plugin installed and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..peers import OURS, PLAIN

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_TESTS = 300


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for peer in (PLAIN, OURS):
        session = laboratory.session(peer, _TESTS, isolated=False)
        laboratory.keep_session(f"not isolated, {peer.name}", session)


def value(laboratory: Laboratory) -> float:
    """Return the ratio."""
    with_plugin = laboratory.median("not isolated, nsisolate (ms)")
    return with_plugin / laboratory.median("not isolated, plain (ms)")
