"""Runs of several methods with several seeds, each done once: the record of a finished run is kept in a file.

`compare`, the benchmarks and the demos give the function that does a run. This module keeps records, skips runs that
are finished and shares the others out among processes.
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backsight.errors import RunFolderError
from backsight.reports.files import write_whole

Record = dict[str, Any]
"""The record of a finished run, in plain values."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run: the name of what is run, such as a method, and the seed."""

    name: str
    seed: int

    @property
    def slug(self) -> str:
        """Name and seed, in the form of the name of a file or folder."""
        return re.sub(r"[^\w.-]+", "-", f"{self.name}-{self.seed}")

    def path(self, folder: Path) -> Path:
        """Return the file that keeps the record of the run."""
        return folder / f"{self.slug}.json"


Work = Callable[[Job], Mapping[str, Any]]
"""A function that does a job. With several processes, it has to be importable in each of them."""


def read_record(job: Job, folder: Path) -> Record | None:
    """Return the record of a job; None if it is not done yet."""
    path = job.path(folder)
    if not path.exists():
        return None
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunFolderError("record", path, "is damaged; delete it, and the run is done again") from None
    return record


def do_once(job: Job, work: Work, folder: Path) -> Record:
    """Return the record of a job, after doing the job if it has none. A record is written whole or not at all."""
    held = read_record(job, folder)
    if held is None:
        held = dict(work(job))
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(job.path(folder), json.dumps(held, indent=1) + "\n")
    return held


def do_all(jobs: Sequence[Job], work: Work, folder: Path, workers: int = 1) -> Iterator[tuple[Job, Record]]:
    """Yield the record of each job: first those that are kept, then the others as they are finished.

    With several `workers`, jobs are shared out among as many processes, of one thread each.
    """
    missing = []
    for job in jobs:
        held = read_record(job, folder)
        if held is None:
            missing.append(job)
        else:
            yield job, held
    if workers == 1:
        for job in missing:
            yield job, do_once(job, work, folder)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        futures = {pool.submit(do_once, job, work, folder): job for job in missing}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
