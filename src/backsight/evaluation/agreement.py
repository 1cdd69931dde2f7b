"""A check that sampler and learner see the same policy: at the first update, the importance ratio has to be 1.

Tensors: N decisions of all attempts.
"""

from __future__ import annotations

import torch

from backsight.errors import ModelError
from backsight.hindsight.base import policy_gradient_row
from backsight.policies.base import Policy
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.tasks.base import SingleTurn, Task, draw_items
from backsight.training.config import TrainingConfig

TOLERANCE = 1e-3
"""Largest allowed difference of log-probabilities in float32; those that matter are hundreds of times larger."""


def sampler_learner_difference(
    policy: Policy, engine: Engine, task: Task, config: TrainingConfig, num_prompts: int = 16
) -> float:
    """Sample attempts, and return the largest difference between their log-probabilities in sampler and learner.

    Raises:
        ModelError: when the difference is above `TOLERANCE`.
    """
    items = draw_items(task.items(task.train_split), num_prompts)
    groups = [group for _, group in collect(engine, SingleTurn, items, 2, config.sampling, config.seed)]
    examples = [
        policy_gradient_row(each, torch.zeros(each.num_decisions)) for group in groups for each in group.trajectories
    ]
    with torch.no_grad():
        learner_N = policy.log_probs(examples, config.sampling).log_probs_N.cpu()
    sampler_N = torch.cat(
        [step.action.log_probs for group in groups for each in group.trajectories for step in each.steps]
    )
    largest = float((learner_N - sampler_N).abs().max())
    if largest > TOLERANCE:
        raise ModelError(
            "policy",
            f"log-probabilities differ by {largest:.2g}",
            "sampler and learner disagree; do not train this model",
        )
    return largest
