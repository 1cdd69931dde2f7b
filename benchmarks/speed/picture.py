"""Draw the speed ratios of the benchmark as bars, with the aims marked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.shared.results import Figure

SPEED = ": speed"
REACHED, MISSED, AIM = "#2f7d5b", "#b5533c", "#222222"


def draw(figures: Sequence[Figure], path: Path) -> None:
    """Draw a bar a row whose name ends with `SPEED`, with a line over all pairs and a tick at the aim."""
    from matplotlib.figure import Figure as Canvas

    bars = [figure for figure in figures if figure.row.endswith(SPEED)]
    canvas = Canvas(figsize=(8, 0.6 * len(bars) + 1.2), layout="constrained")
    axes = canvas.subplots()
    for position, bar in enumerate(bars):
        low, high = bar.interval or (bar.value, bar.value)
        aim = float((bar.aim or ">= 0").removeprefix(">= "))
        axes.barh(position, bar.value, height=0.55, color=REACHED if bar.holds else MISSED)
        axes.hlines(position, low, high, color=AIM, linewidth=1)
        axes.vlines(aim, position - 0.38, position + 0.38, color=AIM, linewidth=2)
        axes.annotate(
            f"{bar.value:.1f}×", (max(high, aim), position), xytext=(6, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(bars)), [bar.row.removesuffix(SPEED) for bar in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * axes.get_xlim()[1])
    axes.set_title(
        "Times as fast as TRL; classic: as stable-baselines3 (thick tick: aim; line: all pairs)",
        loc="left",
        fontsize=10,
    )
    canvas.get_layout_engine().set(w_pad=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, dpi=150)
