"""Does looking back generalise better than supervised fine-tuning and than plain reinforcement learning?

    python benchmarks/generalization.py                     what is done already is not done again
    python benchmarks/generalization.py --quick             tiny budgets, one seed; nothing is written to the results
    python benchmarks/generalization.py --only real-sentiment,encoder-100

In each world a policy is warmed up on some gold answers, and each method goes on from there with the same further
prompts and a learning rate that it chose in domain; then all are tested out of domain. `generalization_protocol.py`
says how; the worlds are of the pocket model, of real data with small models from nothing, and of a pretrained encoder.
Each run is kept in a file of its own, so that a benchmark that is stopped goes on, and two processes can work on
different worlds. One thread a process.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import generalization_minilm
import generalization_pocket
import generalization_real
import torch
from generalization_picture import draw
from generalization_protocol import WARM_UP, Cell, World, cells_of, kept_cells
from generalization_summary import IN_DOMAIN, OUT_OF_DOMAIN, Summary, figures_of, summarised
from results_file import Figure, write_results
from rich.console import Console
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from backsight.errors import BacksightError, ConfigError, nearest
from backsight.reports.tables import interval_text, text_table

REPOSITORY = Path(__file__).resolve().parents[1]
KEPT = REPOSITORY / "runs" / "generalization"
PICTURE = REPOSITORY / "docs" / "results" / "generalization.png"
COUNTED = (generalization_pocket.FAMILY, generalization_real.FAMILY)
"""Families of four applications each, of which three have to hold."""


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    disable_progress_bar()  # of transformers, for every folder that is read or written
    set_verbosity_error()  # it tells at length of heads that are fresh
    worlds = [
        *generalization_pocket.worlds(),
        *generalization_real.worlds(arguments.data),
        *generalization_minilm.worlds(arguments.data),
    ]
    folder = KEPT / ("quick" if arguments.quick else "full")
    if arguments.quick:
        worlds = [world.rehearsal() for world in worlds]
    try:
        for world in _chosen(worlds, arguments.only):
            _work(world, folder)
    except BacksightError as error:
        sys.exit(str(error))
    kept = [(world, kept_cells(world, folder / world.name)) for world in worlds]
    summaries = [_summary(world, cells) for world, cells in kept if cells is not None]
    figures = figures_of(summaries, COUNTED)
    _show(summaries, [] if arguments.quick else figures)
    if arguments.quick:
        print("a rehearsal: the aims are for the full size")
    elif len(summaries) == len(worlds):
        print(f"written: {write_results('generalization', generalization_pocket.RUN_SEEDS, figures)}")
        draw(summaries, PICTURE)
        print(f"drawn: {PICTURE}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny budgets and one seed; no results are written")
    parser.add_argument("--only", default="", help="names of worlds, with commas between them")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="folder of the data")
    return parser.parse_args()


def _chosen(worlds: Sequence[World], only: str) -> list[World]:
    """Raises `ConfigError` when there is no world of a name."""
    names = only.split(",") if only else [world.name for world in worlds]
    known = {world.name: world for world in worlds}
    for name in names:
        if name not in known:
            raise ConfigError("--only", name, nearest(name, known))
    return [known[name] for name in names]


def _work(world: World, folder: Path) -> None:
    """All cells of a world, the missing ones computed."""
    for method, seed, cell in cells_of(world, folder / world.name):
        means = ", ".join(f"{split} {fmean(scores):.3f}" for split, scores in cell.scores.items())
        run = f"{world.name}, {method} at {cell.learning_rate:g}, seed {seed}"
        print(f"{run}: dev {cell.dev:.3f}, {means} in {cell.seconds:.0f} s", flush=True)


def _summary(world: World, cells: dict[str, list[Cell]]) -> Summary:
    splits = {IN_DOMAIN: [world.in_domain], OUT_OF_DOMAIN: world.out_of_domain}
    return summarised(world.name, world.family, splits, cells)


def _show(summaries: Sequence[Summary], figures: Sequence[Figure]) -> None:
    console = Console(width=140)
    for own in summaries:
        rows: dict[str, dict[str, str]] = defaultdict(dict)
        for method, costs in own.costs.items():
            for kind, gains in own.gains.items():
                if method == WARM_UP:
                    rows[method][kind] = interval_text(own.warm_up[kind])
                else:
                    rows[method][kind] = (
                        f"{gains[method].mean:+.3f} ({gains[method].low:+.3f} to {gains[method].high:+.3f})"
                    )
            if method in own.forgotten:
                rows[method]["forgotten"] = interval_text(own.forgotten[method])
            rows[method]["rate"] = f"{own.learning_rates[method]:g}"
            rows[method] |= {name: f"{value:,.0f}" for name, value in costs.items()}
        console.print(text_table(f"{own.world}: the score of the warm-up, and what was gained on it", rows))
    aims = {
        each.row: {
            "measured": f"{each.value:.3f}" if each.interval else f"{each.value:g} {each.unit}",
            "interval": "{:.3f} to {:.3f}".format(*each.interval) if each.interval else "–",
            "aim": each.aim,
            "": "holds" if each.holds else "missed",
        }
        for each in figures
        if each.aim is not None
    }
    if aims:
        console.print(text_table("aims", aims))


if __name__ == "__main__":
    main()
