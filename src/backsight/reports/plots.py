"""Results as a picture. This is the only file that imports matplotlib, and it does so when a picture is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.errors import ConfigError
from backsight.reports.files import check_new_file
from backsight.reports.tables import Interval

SUFFIXES = (".png", ".pdf", ".svg")
COLUMNS = 3
COLOURS = ("#2f7d5b", "#b08a2e")

Estimates = Mapping[str, Mapping[str, Mapping[str, Interval]]]
"""Estimates by policy, split and name."""


def check_picture(path: Path) -> None:
    """Check, before the work is done, that the picture can be made.

    Raises:
        ConfigError: when the file cannot be made there, or matplotlib is missing.
    """
    check_new_file("plot", path, SUFFIXES)
    _matplotlib(path)


def draw_estimates(estimates: Estimates, path: Path) -> None:
    """Draw one panel for each name, with a bar and its 95 % interval for every split and policy."""
    figure_module = _matplotlib(path)
    panels = list(dict.fromkeys(name for splits in estimates.values() for named in splits.values() for name in named))
    rows = -(-len(panels) // COLUMNS)
    figure = figure_module.Figure(figsize=(4.6 * COLUMNS, 3.2 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten().tolist()
    for axes, name in zip(grid, panels, strict=False):
        _draw_panel(axes, name, estimates)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False)
    with path.open("xb") as file:
        figure.savefig(file, format=path.suffix.lower().removeprefix("."), dpi=110)


def _draw_panel(axes: Any, name: str, estimates: Estimates) -> None:
    splits = list(dict.fromkeys(split for own in estimates.values() for split, named in own.items() if name in named))
    width = 0.8 / len(estimates)
    for number, ((policy, own), colour) in enumerate(zip(estimates.items(), COLOURS, strict=False)):
        known = [(place, own[split][name]) for place, split in enumerate(splits) if name in own.get(split, {})]
        places = [place + width * (number - (len(estimates) - 1) / 2) for place, _ in known]
        means = [interval.mean for _, interval in known]
        reach = [  # rounding may put an end that lies on the mean on the wrong side of it
            [max(0.0, each.mean - each.low) for _, each in known],
            [max(0.0, each.high - each.mean) for _, each in known],
        ]
        axes.bar(places, means, width, yerr=reach, color=colour, label=policy, capsize=2, error_kw={"linewidth": 1})
    axes.set_xticks(range(len(splits)), splits, fontsize=8)
    axes.set_title(name, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _matplotlib(path: Path) -> Any:
    """Return the part of matplotlib that draws into files and needs no display."""
    try:
        from matplotlib import figure
    except ImportError as error:
        raise ConfigError("plot", path, "matplotlib is not installed: pip install 'backsight[plot]'") from error
    return figure
