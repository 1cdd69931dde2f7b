"""Fluency of completions, apart from the reward: a reward that bad sentences satisfy must not pass for success."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from backsight.evaluation.log_probs import mean_log_probs
from backsight.evaluation.statistics import Estimate, estimate
from backsight.policies.base import Policy
from backsight.types import Example, Trajectory


@dataclass(frozen=True, slots=True)
class Fluency:
    """Three measures of the same completions."""

    log_likelihood: Estimate
    """Mean log-probability per token, in nats, under the untouched base without any prompt."""
    distinct: float
    """Number of different completions over the number of completions."""
    malformed: Estimate
    """Share of completions that are not well formed."""


def measure_fluency(base: Policy, attempts: Sequence[Trajectory], is_well_formed: Callable[[str], bool]) -> Fluency:
    """Measure the fluency of the last completion of each attempt. `base` is the policy before any training."""
    actions = [attempt.steps[-1].action for attempt in attempts]
    texts = [(action.text or "").strip() for action in actions]
    examples = [Example(("",), (action.value,), "fluency", torch.zeros(len(action.value))) for action in actions]
    return Fluency(
        log_likelihood=estimate(mean_log_probs(base, examples)),
        distinct=len(set(texts)) / len(texts),
        malformed=estimate([float(not is_well_formed(text)) for text in texts]),
    )
