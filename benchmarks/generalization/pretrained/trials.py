"""Trials: a way to train is tried with a seed and examined, and its record is kept."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import backsight
from backsight import load_policy
from backsight.comparison.runner import Job, Record, read_record
from backsight.evaluation.forgetting import cut_into_pieces, text_log_probs
from backsight.policies.text import TextPolicy
from backsight.tasks.base import draw_indices
from benchmarks.generalization.pretrained.applications import Application, Ground
from benchmarks.generalization.pretrained.exams import Kind
from benchmarks.generalization.pretrained.ways import TEMPERATURE, Way

POLICY = "smollm2"
FIRST_SEED = 0
GENERAL_TEXT, GENERAL_PIECES = "text/gutenberg_children/valid.txt.gz", 40
"""Text that no application is about, in the folder of all data, and how many pieces of it are scored."""
SHARED: Mapping[str, Any] = {
    "algorithm": "rloo",
    "adapter": None,
    "bf16": True,
    "temperature": TEMPERATURE,
    "lr_scheduler_type": "cosine",
}
"""Settings of all runs. All weights are trained, also where the preset's `adapter=auto` would take LoRA because other
processes leave little memory. On a CPU that multiplies bfloat16 a step takes a third of the time of one in float32."""
ROWS_AT_ONCE = 32
"""Most gold answers in a step of supervised fine-tuning."""


@dataclass(frozen=True, slots=True)
class Trials:
    """The trials of applications, whose records lie in a folder. A call does the job that `job_of` named."""

    applications: Mapping[str, Application]
    folder: Path
    data: Path
    is_rehearsal: bool = False
    """Whether exams are made short."""

    def __call__(self, job: Job) -> Record:
        """Train and examine, and return the record.

        With the first seed, a policy is trained with each learning rate, and the one that is best on the dev exam is
        examined. The other seeds take its rate.
        """
        name, _, method = job.name.partition(": ")
        own = self.applications[name]
        way = next(each for each in own.ways if each.name == method)
        ground = self.prepare(own)
        if not way.is_trained:
            return self._examine(load_policy(POLICY), ground, way.samples)
        first = self.read(own, way, FIRST_SEED)
        rates = way.rates if first is None else (first["rate"],)
        places = {rate: self._train(own, way, rate, job, ground) for rate in rates}
        records = {rate: json.loads((place / "trained.json").read_text()) for rate, place in places.items()}
        best = max(rates, key=lambda rate: (records[rate]["dev"], -rate))
        found = self._examine(load_policy(str(places[best])), ground)
        for place in places.values():
            shutil.rmtree(place)
        return {
            **records[best],
            "rate": best,
            "dev": {f"{rate:g}": own["dev"] for rate, own in records.items()},
            **found,
        }

    def prepare(self, application: Application) -> Ground:
        """Return the ground of an application."""
        ground = application.prepare(self.data)
        return replace(ground, exams=[exam.rehearsal() for exam in ground.exams]) if self.is_rehearsal else ground

    def read(self, application: Application, way: Way, seed: int) -> Record | None:
        """Return the record of a way with a seed; None if there is none yet."""
        return read_record(job_of(application, way, seed), self.folder)

    def _examine(self, policy: TextPolicy, ground: Ground, samples: int = 1) -> Record:
        began = time.monotonic()
        exams = [exam for exam in ground.exams if exam.kind is not Kind.DEV]
        scores = {exam.name: exam.ask(policy, samples) for exam in exams}
        general = text_log_probs(
            policy, read_general_text(policy, self.data, 2 if self.is_rehearsal else GENERAL_PIECES)
        )
        return {"scores": scores, "general": general, "exam_seconds": time.monotonic() - began}

    def _train(self, own: Application, way: Way, rate: float, job: Job, ground: Ground) -> Path:
        """Return the folder of the trained policy with what it took, after training it if there is none."""
        place = self.folder / "policies" / Job(f"{job.name} {rate:g}", job.seed).slug
        if place.exists():
            return place
        steps, prompts = own.steps, own.prompts_per_step
        if way.rows_for_attempts:
            rows = max(1, round(own.attempts * way.rows_for_attempts))
            prompts = min(rows, ROWS_AT_ONCE if way.rows_for_attempts == 1 else own.prompts_per_step)
            steps = max(1, round(rows / prompts))
        with tempfile.TemporaryDirectory() as runs:
            result = backsight.finetune(
                POLICY,
                ground.tasks[way.learns],
                learning_rate=rate,
                seed=job.seed,
                prompts_per_step=prompts,
                num_generations=own.num_generations,
                max_completion_length=own.max_completion_length,
                stop={"max_steps": steps},
                output_dir=runs,
                show_progress=False,
                **{**SHARED, **own.settings, **way.settings},
            )
        dev = next(exam for exam in ground.exams if exam.kind is Kind.DEV)
        before = dev.ask(load_policy(POLICY)) if dev.needs_base else {}
        record = {
            "dev": fmean(dev.count(dev.ask(result.policy), before)),
            "steps": steps,
            "attempts": 0 if way.rows_for_attempts else result.progress.attempts,
            "prompts": steps * prompts,
            "seconds": result.progress.seconds,
        }
        draft = place.with_name(f"{place.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        result.policy.save(draft)
        (draft / "trained.json").write_text(json.dumps(record))
        return draft.rename(place)


def job_of(application: Application, way: Way, seed: int) -> Job:
    """Return the job that stands for a way with a seed."""
    return Job(f"{application.name}: {way.name}", seed)


def read_general_text(policy: TextPolicy, data: Path, most: int) -> list[str]:
    """Return pieces of a text that no application is about."""
    with gzip.open(data / GENERAL_TEXT, "rt", encoding="utf-8") as lines:
        pieces = cut_into_pieces(lines.read(), [policy])
    return [pieces[index] for index in draw_indices(len(pieces), most)]
