"""Does looking back help a real pretrained model more than supervised fine-tuning and plain RL do, out of domain?

    python benchmarks/generalization/real_model.py                      what is done already is not done again
    python benchmarks/generalization/real_model.py --quick              a rehearsal in minutes; nothing is written
    python benchmarks/generalization/real_model.py --only instructions,reasoning
    benchmarks/generalization/tenfold.sh                                ten times the attempts, for a GPU

SmolLM2-135M-Instruct is trained on five applications in every way that a user has without hindsight, in several that
look back, and in controls (`pretrained/ways.py`), with equal attempts, and examined in domain and out of it
(`pretrained/applications.py`). The cells that the conclusion rests on come first: all ways with one seed, then two
more seeds of the best supervised way, the best plain RL and the best that looks back. By an estimate
from single steps it takes ten hours on two cores, in as many sittings as wanted: each cell is kept in a file of its
own.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import os
from collections.abc import Iterator, Sequence

import torch
from rich.console import Console
from rich.table import Table
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from backsight.comparison.runner import Job, Record, do_all
from backsight.errors import BacksightError
from backsight.evaluation.alarms import COMPLETION_LENGTH, DISTINCT
from backsight.reports.tables import interval_text, text_table
from benchmarks.generalization.pretrained.aims import hold_against_aims
from benchmarks.generalization.pretrained.applications import APPLICATIONS, Application
from benchmarks.generalization.pretrained.exams import Kind
from benchmarks.generalization.pretrained.picture import draw
from benchmarks.generalization.pretrained.trials import FIRST_SEED, Trials, job_of
from benchmarks.generalization.pretrained.verdict import Verdict, list_scores
from benchmarks.shared.choosing import choose
from benchmarks.shared.places import DATA, KEPT, PICTURES
from benchmarks.shared.results import print_aims, write_results

SEEDS = (FIRST_SEED, 1, 2)
SHOWN = {COMPLETION_LENGTH: "tokens", DISTINCT: "distinct"}
"""Measures of the answers in the first exam that are shown beside the scores, and the titles of their columns."""


def main() -> None:
    """Do the trials that are missing, and show what came of all."""
    arguments = read_arguments()
    torch.set_num_threads(1)
    disable_progress_bar()  # of transformers, for every folder that is read or written
    set_verbosity_error()
    size = "quick" if arguments.quick else "tenfold" if arguments.tenfold else "full"
    folder = KEPT / "real-model" / size
    seeds = SEEDS if size == "full" else SEEDS[:1]
    try:
        chosen = choose(APPLICATIONS, arguments.only)
        if arguments.quick:
            chosen = [each.rehearsal() for each in chosen if each.is_counted or arguments.only]
        elif arguments.tenfold:
            chosen = [each.tenfold() for each in chosen]
        trials = Trials({each.name: each for each in chosen}, folder, arguments.data, is_rehearsal=arguments.quick)
        for jobs in list_jobs(trials, seeds):
            for job, record in do_all(jobs, trials, folder, workers=arguments.jobs):
                print(describe(job, record), flush=True)
    except BacksightError as error:
        sys.exit(str(error))
    console = Console(width=180)
    verdicts = [judge(trials, each, seeds) for each in chosen]
    for verdict in verdicts:
        console.print(table(verdict))
    figures = [*(figure for each in verdicts for figure in list_scores(each)), *hold_against_aims(verdicts)]
    if arguments.quick:
        print("a rehearsal: the aims are for the full size")
        return
    print_aims(console, figures)
    if arguments.tenfold:
        print(f"written: {write_results('real_model_tenfold', seeds, figures)}")
    elif len(chosen) == len(APPLICATIONS):
        print(f"written: {write_results('real_model', SEEDS, figures)}")
        draw(verdicts, PICTURES / "real_model.png")
        print(f"drawn: {PICTURES / 'real_model.png'}")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="tiny budgets and one seed; no results are written")
    sizes.add_argument("--tenfold", action="store_true", help="ten times the attempts, with one learning rate and seed")
    parser.add_argument("--only", default="", help="names of applications, with commas between them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of processes")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data")
    return parser.parse_args()


def list_jobs(trials: Trials, seeds: Sequence[int]) -> Iterator[list[Job]]:
    """Yield jobs that can be done at once: with the first seed all ways of the applications that count, then with the
    other seeds those that the conclusion rests on, then the other applications."""
    first, *others = seeds
    counted = [each for each in trials.applications.values() if each.is_counted]
    yield [job_of(each, way, first) for each in counted for way in each.ways]
    yield [
        job_of(each, way, seed)
        for seed in others
        for each in counted
        for way in judge(trials, each, [first]).conclusive
    ]
    yield [
        job_of(each, way, first) for each in trials.applications.values() if not each.is_counted for way in each.ways
    ]


def judge(trials: Trials, application: Application, seeds: Sequence[int]) -> Verdict:
    """Return what the records of an application say that are there."""
    records = {
        way.name: [record for seed in seeds if (record := trials.read(application, way, seed)) is not None]
        for way in application.ways
    }
    exams = [each for each in trials.prepare(application).exams if each.kind is not Kind.DEV]
    return Verdict(application, exams, records)


def describe(job: Job, record: Record) -> str:
    """Return a line about a trial that is done."""
    dev = ", ".join(f"{rate}: {score:.3f}" for rate, score in (record.get("dev") or {}).items())
    seconds = f"{record.get('seconds', 0):.0f} s of training, {record['exam_seconds']:.0f} s of exams"
    return f"{job.name}, seed {job.seed}: {f'dev {dev}; ' if dev else ''}{seconds}"


def table(own: Verdict) -> Table:
    """Make the table of an application: a line for each way."""
    rows = {}
    for way in own.ways:
        cells = {exam.name: interval_text(own.score(way, exam)) for exam in own.exams}
        first = own.exams[0]
        for name, shown in SHOWN.items():
            value = own.mean_of(way, first, name)
            cells[shown] = "" if value is None else f"{value:.2f}"
        record = own.records[way.name][0]
        cells |= {
            "text forgotten": f"{own.forgotten(way).mean:.3f}",
            "rate": "" if record.get("rate") is None else f"{record['rate']:g}",
            "attempts": f"{record.get('attempts', 0):,}",
            "prompts": f"{record.get('prompts', 0):,}",
            "seconds": f"{record.get('seconds', 0):,.0f}",
        }
        rows[way.name] = cells
    return text_table(f"{own.application.name}: {len(own.exams)} exams, 95 % intervals", rows)


if __name__ == "__main__":
    main()
