"""Draw what each way to train gained on the pretrained model, in domain and out of it: a panel an application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.generalization.pretrained.exams import Kind
from benchmarks.generalization.pretrained.verdict import Verdict
from benchmarks.generalization.pretrained.ways import Role

COLOURS = {
    Role.SELECTION: "#999999",
    Role.SUPERVISED: "#3b6ea8",
    Role.PREFERENCE: "#7a5aa6",
    Role.PLAIN: "#222222",
    Role.HINDSIGHT: "#2f7d5b",
    Role.CONTROL: "#b08a2e",
}


def draw(verdicts: Sequence[Verdict], path: Path) -> None:
    """Draw two dots for each way, a full one out of domain with its interval and an empty one in domain."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

    counted = [each for each in verdicts if each.application.is_counted]
    canvas = Canvas(figsize=(3.6 * len(counted), 4.4), layout="constrained")
    for axes, verdict in zip(canvas.subplots(1, len(counted), squeeze=False)[0], counted, strict=True):
        ways = [way for way in verdict.ways if way.role is not Role.BASE]
        for position, way in enumerate(ways):
            outside, inside = verdict.gain(way, Kind.OUT_OF_DOMAIN), verdict.gain(way, Kind.IN_DOMAIN)
            colour = COLOURS[way.role]
            margins = [[outside.mean - outside.low], [outside.high - outside.mean]]
            axes.errorbar(outside.mean, position, xerr=margins, fmt="o", markersize=5, linewidth=1.4, color=colour)
            axes.plot(inside.mean, position, "o", markersize=5, markerfacecolor="none", color=colour)
        axes.axvline(0, color="#999999", linewidth=0.8)
        axes.set_yticks(range(len(ways)), [way.name for way in ways], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(verdict.application.name, loc="left", fontsize=10)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    handles = [Line2D([], [], marker="o", linestyle="", color=colour, label=role) for role, colour in COLOURS.items()]
    canvas.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=8, frameon=False)
    canvas.supxlabel("gain over the base: full out of domain (line: 95 %), empty in domain", fontsize=9)
    canvas.savefig(path, dpi=130)
