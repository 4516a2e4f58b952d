"""More bind mounts in every sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..laboratory import Laboratory

_COUNTS = (10, 100)


def measure(laboratory: Laboratory) -> None:
    """Measure a round."""
    for count in _COUNTS:
        laboratory.keep(f"{count} binds (us)", *laboratory.binds(count).rates())


def value(laboratory: Laboratory) -> float:
    """Return the ratio."""
    few, many = (laboratory.median(f"{count} binds (us)") for count in _COUNTS)
    return many / few
