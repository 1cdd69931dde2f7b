"""Draw the generalization benchmark: what each method gained out of domain, a panel a family, a line a world."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.generalization.protocol import OUTCOME, SFT, SFT_LONG
from benchmarks.generalization.summary import OUT_OF_DOMAIN, Summary

COLOURS = {SFT: "#3b6ea8", SFT_LONG: "#8fb0d3", OUTCOME: "#222222"}
HINDSIGHT = ("#2f7d5b", "#b08a2e", "#a8476b", "#7a5aa6")
"""Colours of the methods that look back, in the order in which they are met."""


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw a dot for each method and world, with its interval."""
    from matplotlib.figure import Figure as Canvas

    methods = dict.fromkeys(method for each in summaries for method in each.gains[OUT_OF_DOMAIN])
    colours = COLOURS | dict(zip([method for method in methods if method not in COLOURS], HINDSIGHT, strict=False))
    families = list(dict.fromkeys(each.family for each in summaries))
    canvas = Canvas(figsize=(4.6 * len(families), 4.2), layout="constrained")
    panels = canvas.subplots(1, len(families), squeeze=False)[0]
    for axes, family in zip(panels, families, strict=True):
        worlds = [each for each in summaries if each.family == family]
        for position, world in enumerate(worlds):
            gains = world.gains[OUT_OF_DOMAIN]
            for number, (method, gain) in enumerate(gains.items()):
                axes.errorbar(
                    gain.mean,
                    position + 0.16 * (number - (len(gains) - 1) / 2),
                    xerr=[[gain.mean - gain.low], [gain.high - gain.mean]],
                    fmt="o",
                    markersize=5,
                    linewidth=1.4,
                    color=colours[method],
                    label=method,
                )
        axes.axvline(0, color="#999999", linewidth=0.8)
        axes.set_yticks(range(len(worlds)), [each.world for each in worlds], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(family, loc="left", fontsize=10)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(
        handles.values(), handles.keys(), loc="outside upper right", ncols=len(handles), fontsize=8, frameon=False
    )
    canvas.supxlabel("gain over the warm-up out of domain (reward; line: 95 % over seeds and items)", fontsize=9)
    canvas.savefig(path, dpi=130)
