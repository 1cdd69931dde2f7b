"""Does looking back generalise better than supervised fine-tuning and than plain reinforcement learning?

    python benchmarks/generalization/run.py                     what is done already is not done again
    python benchmarks/generalization/run.py --quick             tiny budgets, one seed; no results are written
    python benchmarks/generalization/run.py --only real-sentiment,encoder-100

In each world a policy is warmed up on some gold answers, and each method goes on from there with the same further
prompts and a learning rate that it chose in domain; then all are tested out of domain. `protocol.py` says how; the
worlds are of the pocket model, of real data with small models from nothing, and of a pretrained encoder. Each run is
kept in a file of its own, so that a benchmark that is stopped goes on, and two processes can work on different worlds.
One thread a process.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import torch
from rich.console import Console
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from backsight.errors import BacksightError
from backsight.reports.tables import interval_text, text_table
from benchmarks.generalization import minilm, pocket, real
from benchmarks.generalization.picture import draw
from benchmarks.generalization.protocol import WARM_UP, World, do_runs, read_runs
from benchmarks.generalization.summary import IN_DOMAIN, OUT_OF_DOMAIN, Summary, make_figures, summarize
from benchmarks.shared.choosing import choose
from benchmarks.shared.places import DATA, KEPT, PICTURES
from benchmarks.shared.results import print_aims, write_results

COUNTED = (pocket.FAMILY, real.FAMILY)
"""Families of four applications each, of which three have to hold."""


def main() -> None:
    arguments = read_arguments()
    torch.set_num_threads(1)
    disable_progress_bar()  # of transformers, for every folder that is read or written
    set_verbosity_error()  # it tells at length of heads that are fresh
    worlds = [*pocket.make_worlds(), *real.make_worlds(arguments.data), *minilm.make_worlds(arguments.data)]
    folder = KEPT / "generalization" / ("quick" if arguments.quick else "full")
    if arguments.quick:
        worlds = [world.rehearsal() for world in worlds]
    try:
        for world in choose(worlds, arguments.only):
            work_on(world, folder / world.name)
    except BacksightError as error:
        sys.exit(str(error))
    summaries = [each for world in worlds if (each := summarize_kept(world, folder / world.name)) is not None]
    figures = make_figures(summaries, COUNTED)
    console = Console(width=140)
    print_gains(console, summaries)
    if arguments.quick:
        print("a rehearsal: the aims are for the full size")
        return
    print_aims(console, figures)
    if len(summaries) == len(worlds):
        print(f"written: {write_results('generalization', pocket.RUN_SEEDS, figures)}")
        draw(summaries, PICTURES / "generalization.png")
        print(f"drawn: {PICTURES / 'generalization.png'}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny budgets and one seed; no results are written")
    parser.add_argument("--only", default="", help="names of worlds, with commas between them")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data")
    return parser.parse_args()


def work_on(world: World, folder: Path) -> None:
    """Do the runs of a world that are not kept yet, and say what came of each."""
    for method, seed, cell in do_runs(world, folder):
        means = ", ".join(f"{split} {fmean(scores):.3f}" for split, scores in cell.scores.items())
        run = f"{world.name}, {method} at {cell.learning_rate:g}, seed {seed}"
        print(f"{run}: dev {cell.dev:.3f}, {means} in {cell.seconds:.0f} s", flush=True)


def summarize_kept(world: World, folder: Path) -> Summary | None:
    """Summarize a world; None while one of its runs is missing."""
    cells = read_runs(world, folder)
    splits = {IN_DOMAIN: [world.in_domain], OUT_OF_DOMAIN: world.out_of_domain}
    return None if cells is None else summarize(world.name, world.family, splits, cells)


def print_gains(console: Console, summaries: Sequence[Summary]) -> None:
    """Print a table for each world: what each method gained on the warm-up, and what it took."""
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


if __name__ == "__main__":
    main()
