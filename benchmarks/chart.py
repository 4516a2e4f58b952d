"""Results as a chart: each metric next to its bound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .table import Result


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw what was reached as a share of the bound, to a file of the kind that its suffix names."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    figure, axes = plt.subplots(figsize=(10, 0.45 * len(results) + 1.2))
    shares = [_share(result) for result in results]
    colours = ["#3b7a57" if result.holds else "#b3452c" for result in results]
    bars = axes.barh([result.metric.title for result in results], shares, color=colours)
    axes.bar_label(bars, [f"{result.value:.2f}" for result in results], padding=3)
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("share of what is allowed: 1 is the bound, shorter is better", loc="right")
    axes.set_xlim(0, max(1.15, *shares) * 1.15)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _share(result: Result) -> float:
    bound = result.metric.must
    return bound / result.value if result.metric.at_least else result.value / bound
