"""Draw the hindsight benchmark: a panel a task, a curve a method, over attempts."""

from __future__ import annotations

from pathlib import Path

from backsight.evaluation.across_seeds import band
from benchmarks.hindsight.aims import Results

COLUMNS = 4
COLOURS = ("#222222", "#2f7d5b", "#b5533c", "#3b6ea8", "#b08a2e", "#7a4f9a", "#5c5c5c", "#c46a9f")


def draw(results: Results, path: Path) -> None:
    """Draw the means over seeds, with a shade from the lowest to the highest."""
    from matplotlib.figure import Figure as Canvas

    panels = list(dict.fromkeys(key[:2] for key in results))
    height = -(-len(panels) // COLUMNS)
    canvas = Canvas(figsize=(16, 2.9 * height), layout="constrained")
    places = canvas.subplots(height, COLUMNS, squeeze=False).flatten().tolist()
    for axes, panel in zip(places, panels, strict=False):
        by_method = {key[2]: curves for key, curves in results.items() if key[:2] == panel}
        for colour, (method, curves) in zip(COLOURS, by_method.items(), strict=False):
            seeds = band([list(zip(curve.attempts, curve.scores, strict=True)) for curve in curves])
            style = "--" if method == "outcome" else "-"
            marker = "o" if len(seeds.used) == 1 else None
            axes.plot(seeds.used, seeds.mean, style, color=colour, label=method, linewidth=1.6, marker=marker)
            axes.fill_between(seeds.used, seeds.low, seeds.high, color=colour, alpha=0.15, linewidth=0)
        axes.set_title(", ".join(panel), fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=6, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    canvas.supxlabel("attempts", fontsize=9)
    canvas.supylabel("score", fontsize=9)
    canvas.savefig(path, dpi=110)
