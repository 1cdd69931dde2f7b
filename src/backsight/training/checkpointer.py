"""What a checkpoint holds of a run: its optimizer and counts, its other policies, and what was learnt besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from backsight.distributed.ranks import Ranks
from backsight.distributed.weights import Weights
from backsight.hindsight.base import Hindsight
from backsight.hindsight.options import MethodOptions
from backsight.policies.base import Policy, set_weights, trained_weights
from backsight.training.best import BestPolicy
from backsight.training.checkpoints import (
    load_companion,
    load_learnt,
    load_optimizer,
    load_progress,
    save_checkpoint,
)
from backsight.training.critic import Critic
from backsight.training.progress import Progress
from backsight.training.sampling_ahead import SamplingAhead
from backsight.training.teacher import Teacher

SAMPLER = "sampler"
"""Name, before a number, of the weights that steps are sampled with ahead of the present one."""
CRITIC, METHOD, AHEAD = "critic.", "hindsight.", "ahead."
"""Prefixes of what the critic and the hindsight method have learnt, and of what is sampled ahead."""


@dataclass(slots=True)
class Checkpointer:
    """The parts of a run that change while it learns, which it saves and takes over."""

    policy: Policy
    optimizer: torch.optim.Optimizer
    weights: Weights
    hindsight: Hindsight[MethodOptions]
    reference: Policy | None
    teacher: Teacher | None
    best: BestPolicy | None
    critic: Critic | None
    ahead: SamplingAhead | None
    ranks: Ranks
    saved_step: int | None = None
    """Step of the newest checkpoint, which is not written twice."""

    def save(self, folder: Path, progress: Progress, keep: int) -> None:
        """Write a checkpoint into a folder that keeps the newest `keep`, unless the step has one."""
        if self.saved_step != progress.step:
            others = self._companions()
            if self.ahead is not None:
                others |= {f"{SAMPLER}-{place}": each for place, each in enumerate(self.ahead.weights())}
            save_checkpoint(folder, self.policy, self.optimizer, progress, keep, others, self._learnt(), self.ranks)
            self.saved_step = progress.step

    def load(self, checkpoint: Path) -> Progress:
        """Take over what a checkpoint holds, and return its counts. The policy has its weights already."""
        load_optimizer(checkpoint, self.optimizer, self.weights)
        progress = load_progress(checkpoint)
        self.saved_step = progress.step
        for name, weights in self._companions().items():
            set_weights(weights, load_companion(checkpoint, name))
        if self.teacher is not None:
            self.teacher.round_masters()
        learnt = load_learnt(checkpoint)
        if self.critic is not None:
            self.critic.load_state(_part(learnt, CRITIC))
        self.hindsight.load_state(_part(learnt, METHOD))
        if self.ahead is not None:
            self.ahead.resume(_part(learnt, AHEAD), lambda place: load_companion(checkpoint, f"{SAMPLER}-{place}"))
        return progress

    def _companions(self) -> dict[str, Mapping[str, Tensor]]:
        """Return the trained weights of the run's other policies by name, of those that have weights of their own."""
        weights = dict[str, Mapping[str, Tensor]]()
        if self.reference is not None:
            weights["reference"] = trained_weights(self.reference.module)
        if self.teacher is not None and self.teacher.copy is not self.policy:
            weights["teacher"] = self.teacher.weights
        if self.best is not None:
            weights["best"] = self.best.weights
        return {name: own for name, own in weights.items() if own}

    def _learnt(self) -> dict[str, Tensor]:
        states = {
            CRITIC: self.critic.state() if self.critic else {},
            METHOD: self.hindsight.state(),
            AHEAD: self.ahead.state() if self.ahead else {},
        }
        return {f"{prefix}{name}": value for prefix, state in states.items() for name, value in state.items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
