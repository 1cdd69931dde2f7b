"""Jobs that are done once, here or in several processes."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from backsight.comparison.runner import Job, do_all, do_once, read_record

JOBS = [Job(name, seed) for name in ("a+b", "c") for seed in (0, 1)]


class Counted:
    """Work that knows what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[Job] = []

    def __call__(self, job: Job) -> Mapping[str, Any]:
        self.done.append(job)
        if job.name == "broken":
            raise ValueError("no such thing")
        return {"seed": job.seed}


def test_a_job_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert Job("a+b/../c d", 3).slug == "a-b-..-c-d-3"
    assert Job("best_of_n", 0).path(tmp_path) == tmp_path / "best_of_n-0.json"


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    work, job, folder = Counted(), Job("c", 1), tmp_path / "made" / "when needed"
    assert read_record(job, folder) is None
    assert do_once(job, work, folder) == do_once(job, work, folder) == read_record(job, folder) == {"seed": 1}
    assert work.done == [job]
    assert json.loads((folder / "c-1.json").read_text()) == {"seed": 1}


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such thing"):
        do_once(Job("broken", 0), Counted(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_comes_first_and_the_rest_in_order(tmp_path: Path) -> None:
    work = Counted()
    do_once(JOBS[2], work, tmp_path)
    found = list(do_all(JOBS, work, tmp_path))
    assert [job for job, _ in found] == [JOBS[2], JOBS[0], JOBS[1], JOBS[3]]
    assert [record for _, record in found] == [{"seed": job.seed} for job, _ in found]
    assert work.done == [JOBS[2], JOBS[0], JOBS[1], JOBS[3]]


def test_several_processes_leave_the_same(tmp_path: Path) -> None:
    alone = dict(do_all(JOBS, asdict, tmp_path / "alone"))
    shared = dict(do_all(JOBS, asdict, tmp_path / "shared", workers=2))
    assert shared == alone == {job: {"name": job.name, "seed": job.seed} for job in JOBS}
    assert [read_record(job, tmp_path / "shared") for job in JOBS] == [alone[job] for job in JOBS]


def test_a_failure_in_another_process_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        list(do_all(JOBS, operator.attrgetter("no_such_thing"), tmp_path, workers=2))
