"""A step of a finished run, made again from a checkpoint up to its update: the same attempts, and the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from backsight.config import RunConfig, read_config
from backsight.errors import ConfigError, RunFolderError
from backsight.feedback.arguments import at_step
from backsight.feedback.asking import patience
from backsight.presets.base import make_task
from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import make_trainer
from backsight.runs.start import begin
from backsight.seeds import derive_seed
from backsight.tasks.base import Task
from backsight.training.checkpoints import checkpoints, find_fault
from backsight.training.trainer import Trainer
from backsight.types import Example, Group

START = 0
"""The step before the first one: there is no checkpoint of it, but the policy that the run began from."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A step that is about to be taken again."""

    trainer: Trainer
    """The trainer as it was before the step."""
    task: Task
    """The task, with prompts as the run writes them."""
    step: int
    """Number of the step, from 1."""
    groups: Sequence[Group]
    """Attempts, with what was revealed of them."""
    examples: Sequence[Example]
    """Rows that the step learns from."""
    is_the_same: bool
    """Whether the attempts are those that the run folder recorded."""


def replayable_steps(reader: RunReader) -> list[int]:
    """Return the numbers of the steps that can be made again: the first, and those that follow a checkpoint.

    A checkpoint at the very end of the run has no step behind it.
    """
    last = max((row["step"] for row in reader.metrics()), default=0)
    known = [START, *(int(path.name.removeprefix("step-")) for path in checkpoints(reader.checkpoints))]
    return [step + 1 for step in known if step < last]


def replay(folder: Path, steps: Sequence[int] | None = None) -> Iterator[Replay]:
    """Yield steps of a run, made again up to their update; all that can be, or those that are named.

    Only a run of the command line can be made again: what was given in Python is not in its folder.

    Raises:
        BacksightError: when the folder is no run, a step cannot be made again, or its model or data does not load.
    """
    reader = RunReader(folder)
    config, known = read_config(reader.config), replayable_steps(reader)
    for step in known if steps is None else steps:
        if step not in known:
            remedy = f"has no checkpoint before it; there are steps {', '.join(map(str, known)) or 'none'}"
            raise ConfigError("steps", step, f"{remedy}: train with save_steps and save_total_limit to keep more")
    for step in known if steps is None else steps:
        yield _replay(reader, config, step)


def _replay(reader: RunReader, config: RunConfig, step: int) -> Replay:
    checkpoint = None if step == START + 1 else reader.checkpoints / f"step-{step - 1:06d}"
    if checkpoint is not None and (fault := find_fault(checkpoint)) is not None:
        raise RunFolderError("checkpoint", checkpoint, f"is damaged: {fault}; name other steps")
    parts = begin(config, make_task(config), None if checkpoint is None else str(checkpoint))
    trainer = make_trainer(parts)
    if checkpoint is not None:
        trainer.resume(checkpoint)
    torch.manual_seed(derive_seed(config.seed, "update", trainer.progress.step))
    with patience(config.reward_timeout), at_step(step, config.stop.max_steps or 0):
        examples, groups, _ = trainer.look_back(trainer.reveal(trainer.collect()))
    return Replay(trainer, parts.task, step, groups, examples, _texts(groups) == _recorded(reader, step))


def _texts(groups: Sequence[Group]) -> list[str | None]:
    return [step.action.text for group in groups for each in group.trajectories for step in each.steps]


def _recorded(reader: RunReader, step: int) -> list[Any]:
    return [row["completion"] for row in reader.trajectories() if row["step"] == step]
