"""A check that sampler and learner see the same policy, before any run: groups as the run will sample them."""

from __future__ import annotations

from backsight.policies.base import Policy
from backsight.profiling import Profile
from backsight.rollouts.base import Engine
from backsight.rollouts.collect import collect
from backsight.tasks.base import SingleTurn, Task, draw_items
from backsight.training.agreement import LARGEST, Agreement
from backsight.training.config import TrainingConfig

CANDIDATES = 64
"""Number of items that are drawn, and among which those with the longest prompts are tried."""


def sampler_learner_difference(
    policy: Policy, engine: Engine, task: Task, config: TrainingConfig, num_prompts: int = 4
) -> float:
    """Sample groups of the run's own size, and return the largest difference of log-probabilities in sampler and
    learner.

    Raises:
        ModelError: when the difference is above the bound of every run; see `backsight.training.agreement`.
    """
    candidates = draw_items(task.items(task.train_split), CANDIDATES)
    items = sorted(candidates, key=lambda item: -len(str(item.prompt)))[:num_prompts]
    siblings = max(2, config.num_generations)
    groups = [group for _, group in collect(engine, SingleTurn, items, siblings, config.sampling, config.seed)]
    agreement = Agreement(policy, engine, config)
    agreement.measure(groups, config.micro_batch_size, Profile())
    return agreement.metrics[LARGEST]
