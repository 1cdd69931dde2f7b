"""The metrics of a step, and a message about steps that taught nothing. The keys are TRL's where it has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn

from backsight.estimators.advantages import are_equal
from backsight.policies.base import Policy
from backsight.profiling import Profile, matrix_product_rate, peak_memory
from backsight.training.config import TrainingConfig
from backsight.training.objective import has_signal
from backsight.types import Example, Group, Trajectory

PHASES = ("sync", "prefill", "decode", "reward", "look_back", "forward", "backward", "optimizer")
FORWARD_FLOPS, BACKWARD_FLOPS, LEARNING_FLOPS = 2, 2, 2
"""Floating-point operations a weight and token: forward, backward for earlier layers, backward for trained weights."""


def rollout_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """Compute means over the trajectories of a step; none when nothing was sampled.

    ``reward``, ``reward_std`` (mean deviation within a group) and ``frac_reward_zero_std`` (groups whose siblings all
    earned the same) are over the attempts that somebody scored, and missing when nobody scored any; ``frac_unscored``
    is the share of the others. ``success``, ``rewards/NAME/mean``, ``completions/mean_length``,
    ``completions/clipped_ratio`` (ended by the length cap), ``num_tokens`` (decisions sampled) and ``entropy`` (nats a
    decision, of the behaviour: estimated by the mean of -log π of what it drew). Where some completions think,
    ``thinking/share`` is their share, and ``thinking/unfinished`` the share of those without an answer behind it.
    """
    trajectories = [trajectory for group in groups for trajectory in group.trajectories]
    if not trajectories:
        return {}
    lengths = [each.num_decisions for each in trajectories]
    metrics = {
        **_reward_metrics(groups),
        "completions/mean_length": _mean(lengths),
        "completions/clipped_ratio": _mean([float(each.steps[-1].action.is_truncated) for each in trajectories]),
        "num_tokens": float(sum(lengths)),
        "entropy": -float(torch.cat([each.behaviour_log_probs for each in trajectories]).mean()),
    }
    thoughts = [step.action for each in trajectories for step in each.steps if step.action.thought_end]
    if thoughts:
        metrics["thinking/share"] = len(thoughts) / sum(len(each.steps) for each in trajectories)
        metrics["thinking/unfinished"] = _mean([float(not (each.answer or "").strip()) for each in thoughts])
    successes = [each.feedback.success for each in trajectories if each.feedback.success is not None]
    if successes:
        metrics["success"] = _mean(successes)
    for name in sorted({name for each in trajectories for name in each.feedback.rewards}):
        values = [each.feedback.rewards[name] for each in trajectories if name in each.feedback.rewards]
        metrics[f"rewards/{name}/mean"] = _mean(values)
    return metrics


def _reward_metrics(groups: Sequence[Group]) -> dict[str, float]:
    count = sum(len(group.trajectories) for group in groups)
    rewards = [[each.total_reward for each in group.scored] for group in groups]
    known = [torch.tensor(own, dtype=torch.float64) for own in rewards if own]
    num_scored = sum(map(len, known))
    metrics = {} if num_scored == count else {"frac_unscored": 1 - num_scored / count}
    if known:
        metrics["reward"] = _mean([reward for own in rewards for reward in own])
        metrics["reward_std"] = _mean([0.0 if are_equal(own) else float(own.std(correction=0)) for own in known])
        metrics["frac_reward_zero_std"] = _mean([float(are_equal(own)) for own in known])
    return metrics


def example_metrics(examples: Sequence[Example]) -> dict[str, float]:
    """Count the rows that each method made, as ``examples/METHOD``."""
    counts = Counter(example.method for example in examples)
    return {f"examples/{method}": float(count) for method, count in sorted(counts.items())}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class Meter:
    """A meter of the time and work of steps, which knows what a token costs and how fast the machine multiplies."""

    def __init__(self, policy: Policy) -> None:
        module = policy.module
        multiplied = {id(each.weight) for each in module.modules() if isinstance(each, nn.Linear)}
        looked_up = {id(each.weight) for each in module.modules() if isinstance(each, nn.Embedding)} - multiplied
        weights = [weight for weight in module.parameters() if id(weight) not in looked_up]
        self.num_weights = sum(weight.numel() for weight in weights)
        self.num_trained = sum(weight.numel() for weight in weights if weight.requires_grad)
        multiplying = next(weight for weight in weights if weight.is_floating_point())  # not those packed in four bits
        self.device = multiplying.device
        self.rate = matrix_product_rate(self.device, multiplying.dtype, torch.get_num_threads())
        """Operations a second in large matrix products, measured before anything is sampled beside it."""

    def metrics(self, profile: Profile, seconds: float) -> dict[str, float]:
        """Return the time and work of a step.

        ``step_time``; ``time/PHASE`` in seconds, each second in one phase (``reward``: waiting for rewards after all
        was sampled; ``other``: outside all phases); ``tokens_per_second/PHASE``; ``memory/peak_gib`` of the process or
        its GPU; ``matrix_rate/achieved``: weights times tokens, attention left out, as a share of the rate of matrix
        products.
        """
        spent = {phase: profile.seconds[phase] for phase in PHASES if profile.seconds[phase]}
        tokens = profile.tokens
        metrics = {"step_time": seconds, **{f"time/{phase}": value for phase, value in spent.items()}}
        metrics["time/other"] = max(0.0, seconds - sum(spent.values()))
        metrics |= {f"tokens_per_second/{phase}": tokens[phase] / spent[phase] for phase in spent if tokens[phase]}
        metrics["memory/peak_gib"] = peak_memory(self.device)
        work = FORWARD_FLOPS * self.num_weights * (tokens["prefill"] + tokens["decode"] + tokens["forward"])
        work += (BACKWARD_FLOPS * self.num_weights + LEARNING_FLOPS * self.num_trained) * tokens["backward"]
        if work:
            metrics["matrix_rate/achieved"] = work / (seconds * self.rate)
        return metrics


def unscored(groups: Sequence[Group]) -> str | None:
    """Return a message about attempts that nobody scored; None if there are none."""
    attempts = [each for group in groups for each in group.trajectories]
    count = sum(not each.is_scored for each in attempts)
    if count == 0:
        return None
    return f"no score: nobody scored {count} of {len(attempts)} attempts; they teach nothing and are in no mean"


def nothing_to_learn(groups: Sequence[Group], examples: Sequence[Example], config: TrainingConfig) -> str | None:
    """Return a message that says why a step taught nothing, and a remedy; None if it did, or nothing was tried."""
    attempts = [each for group in groups for each in group.trajectories]
    if not attempts or any(has_signal(each, config) for each in examples):
        return None
    if config.mask_truncated_completions and all(each.is_unfinished for each in attempts):
        cause = f"all {len(attempts)} attempts were cut off, and mask_truncated_completions leaves them out"
        return f"nothing to learn: {cause}; raise max_completion_length"
    rewards = sorted({round(each.total_reward, 6) for group in groups for each in group.scored})
    earned = f"{rewards[0]:g}" if len(rewards) == 1 else "the same as their siblings" if rewards else "nothing"
    count = "the only group" if len(groups) == 1 else f"all {len(groups)} groups"
    return f"nothing to learn: {count} scored {earned}; {_remedy(attempts)}"


def _remedy(attempts: Sequence[Trajectory]) -> str:
    feedback = [each.feedback for each in attempts]
    if any(each.achieved_prompts is not None for each in feedback):
        return "what was achieved instead is known: hindsight=relabel would learn from it"
    if any(each.correction or each.text or each.outcome for each in feedback):
        return "something was said of the attempts: hindsight=self_distill or hindsight=revise would learn from it"
    if all(each.success for each in feedback):
        return "all succeeded: harder prompts would teach something"
    return "give feedback beyond the reward (a correction, a comment, an achieved goal), or easier prompts"
