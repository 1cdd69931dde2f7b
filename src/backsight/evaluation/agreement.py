"""Whether the sampler and the learner see the same policy: the ratio of the first update has to be 1."""

from __future__ import annotations

import torch

from backsight.environments.single_turn import SingleTurn
from backsight.errors import ModelError
from backsight.hindsight.base import on_policy_example
from backsight.policies.base import Policy
from backsight.rollouts.collect import collect
from backsight.rollouts.engine import Engine
from backsight.tasks.base import Task
from backsight.training.config import TrainingConfig

TOLERANCE = 1e-3
"""Of a log-probability in float32; disagreements that matter are hundreds of times larger."""


def sampler_learner_difference(
    policy: Policy, engine: Engine, task: Task, config: TrainingConfig, num_prompts: int = 16
) -> float:
    """The largest difference between the log-probabilities that some attempts were sampled with and are scored with.

    Raises:
        ModelError: it is above `TOLERANCE`.
    """
    items = task.items(task.train_split)[:num_prompts]
    groups = [group for _, group in collect(engine, SingleTurn, items, 2, config.sampling, config.seed)]
    examples = [
        on_policy_example(each, torch.zeros(each.num_decisions)) for group in groups for each in group.trajectories
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
