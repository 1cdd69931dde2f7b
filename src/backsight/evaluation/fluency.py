"""How fluent completions are, apart from the reward: what is satisfied by bad sentences must not pass for success."""

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
    """Three looks at the same completions."""

    log_likelihood: Estimate
    """Mean log-probability a token, in nats, under the untouched base without any prompt."""
    distinct: float
    """Share of completions that no other one equals."""
    malformed: Estimate
    """Share that is no sentence."""


def fluency(base: Policy, attempts: Sequence[Trajectory], is_well_formed: Callable[[str], bool]) -> Fluency:
    """Look at the last completion of each attempt. `base` is the policy before any training."""
    actions = [attempt.steps[-1].action for attempt in attempts]
    texts = [(action.text or "").strip() for action in actions]
    examples = [Example(("",), (action.value,), "fluency", torch.zeros(len(action.value))) for action in actions]
    return Fluency(
        log_likelihood=estimate(mean_log_probs(base, examples)),
        distinct=len(set(texts)) / len(texts),
        malformed=estimate([float(not is_well_formed(text)) for text in texts]),
    )
