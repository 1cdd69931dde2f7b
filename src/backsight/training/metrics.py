"""What a step's rollouts are logged as; the keys are TRL's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from backsight.types import Example, Group, Trajectory


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Means over the trajectories of a step.

    ``reward``, ``reward_std`` (mean deviation within a group), ``frac_reward_zero_std`` (groups whose siblings all
    earned the same), ``success``, ``rewards/NAME/mean``, ``completions/mean_length``, ``completions/clipped_ratio``
    (ended by the length cap), ``num_tokens`` (decisions sampled) and ``entropy`` (nats a decision, of the behaviour:
    estimated by the mean of -log π of what it drew). Empty when nothing was sampled.
    """
    trajectories = [trajectory for group in groups for trajectory in group.trajectories]
    if not trajectories:
        return {}
    drawn = [step.action.log_probs for each in trajectories for step in each.steps]
    lengths = [each.num_decisions for each in trajectories]
    deviations = [_deviation(group.trajectories) for group in groups]
    metrics = {
        "reward": _mean([sum(each.rewards) for each in trajectories]),
        "reward_std": _mean(deviations),
        "frac_reward_zero_std": _mean([float(deviation < 1e-8) for deviation in deviations]),
        "completions/mean_length": _mean(lengths),
        "completions/clipped_ratio": _mean([float(each.steps[-1].action.is_truncated) for each in trajectories]),
        "num_tokens": float(sum(lengths)),
        "entropy": -float(torch.cat(drawn).mean()),
    }
    successes = [each.feedback.success for each in trajectories if each.feedback.success is not None]
    if successes:
        metrics["success"] = _mean(successes)
    for name in sorted({name for each in trajectories for name in each.feedback.rewards}):
        values = [each.feedback.rewards[name] for each in trajectories if name in each.feedback.rewards]
        metrics[f"rewards/{name}/mean"] = _mean(values)
    return metrics


def example_metrics(examples: Sequence[Example]) -> dict[str, float]:
    """``examples/METHOD``: rows that each method made."""
    counts = Counter(example.method for example in examples)
    return {f"examples/{method}": float(count) for method, count in sorted(counts.items())}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(trajectories: Sequence[Trajectory]) -> float:
    return float(torch.tensor([sum(each.rewards) for each in trajectories]).std(correction=0))
