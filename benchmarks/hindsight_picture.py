"""Draw the hindsight benchmark: a panel a task, a curve a method, over attempts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from hindsight_aims import Results
from hindsight_curve import Curve

COLUMNS = 4
COLOURS = ("#222222", "#2f7d5b", "#b5533c", "#3b6ea8", "#b08a2e", "#7a4f9a", "#5c5c5c", "#c46a9f")


def draw(results: Results, path: Path) -> None:
    """Means over seeds, from the lowest to the highest in a shade."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = list(dict.fromkeys((task, size) for task, size, _ in results))
    height = -(-len(panels) // COLUMNS)
    canvas, grid = pyplot.subplots(height, COLUMNS, figsize=(16, 2.9 * height), squeeze=False, layout="constrained")
    places = (axes for line in grid for axes in line)
    for axes, panel in zip(islice(places, len(panels)), panels, strict=True):
        named = {key[2]: curves for key, curves in results.items() if key[:2] == panel}
        for colour, (method, curves) in zip(COLOURS, named.items(), strict=False):
            attempts, low, mean, high = band(curves)
            style = "--" if method == "outcome" else "-"
            marker = "o" if len(attempts) == 1 else None
            axes.plot(attempts, mean, style, color=colour, label=method, linewidth=1.6, marker=marker)
            axes.fill_between(attempts, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_title(", ".join(panel), fontsize=9, loc="left")
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=6, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in places:
        axes.set_axis_off()
    canvas.supxlabel("attempts", fontsize=9)
    canvas.supylabel("score", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, dpi=110)
    pyplot.close(canvas)


def band(curves: Sequence[Curve]) -> tuple[list[int], list[float], list[float], list[float]]:
    """Attempts, and the lowest, mean and highest score at each look that all seeds have."""
    looks = min(len(curve.scores) for curve in curves)
    columns = [[curve.scores[look] for curve in curves] for look in range(looks)]
    return (
        curves[0].attempts[:looks],
        [min(column) for column in columns],
        [sum(column) / len(column) for column in columns],
        [max(column) for column in columns],
    )
