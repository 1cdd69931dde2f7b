"""Likelihood of recorded turns that were rewarded, against that of turns that were not.

The rewards of a log belong to what was said then, and cannot judge what a policy would say now. What can be measured,
on turns that were held back, is whether training moved the policy towards the good ones and away from the bad.

Arrays: G rewarded turns, B unrewarded turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.evaluation.log_probs import mean_log_probs
from backsight.evaluation.statistics import Estimate, Z, estimate
from backsight.policies.base import Policy
from backsight.tasks.base import Item
from backsight.tasks.recorded import is_rewarded
from backsight.types import Example


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Likelihood of the turns of a split that have a reward; there are rewarded and unrewarded ones."""

    rewarded: Estimate
    """Mean log-probability per token, in nats, of turns whose reward is above the mean of the train split."""
    unrewarded: Estimate
    """Mean log-probability per token, in nats, of the other turns."""
    accuracy: Estimate
    """Share of all pairs of a rewarded and an unrewarded turn in which the rewarded one gained more log-probability per
    token since the base: the area under the ROC curve. It is 0.5 where nothing has changed."""


def has_both_kinds(items: Sequence[Item]) -> bool:
    """Return whether there are rewarded and unrewarded turns: a log may hold only comments, or only praise."""
    return {True, False} <= {is_rewarded(item) for item in items}


def compare_likelihoods(
    items: Sequence[Item], log_probs: Sequence[float], base_log_probs: Sequence[float]
) -> Likelihood:
    """Compare rewarded and unrewarded items by what `turn_log_probs` gave for them under the policy and under the base.

    Raises:
        DataError: when no turn was rewarded above the mean, or all of them were.
    """
    kinds = [is_rewarded(item) for item in items]
    gains = [own - base for own, base in zip(log_probs, base_log_probs, strict=True)]
    good, bad = ([index for index, kind in enumerate(kinds) if kind is wanted] for wanted in (True, False))
    if not good or not bad:
        remedy = "give turns with rewards above and below the mean of the train split"
        raise DataError("recorded rewards", f"{len(good)} rewarded and {len(bad)} unrewarded turns", remedy)
    return Likelihood(
        rewarded=estimate([log_probs[index] for index in good]),
        unrewarded=estimate([log_probs[index] for index in bad]),
        accuracy=pairwise_accuracy([gains[index] for index in good], [gains[index] for index in bad]),
    )


def turn_log_probs(policy: Policy, items: Sequence[Item]) -> list[float]:
    """Compute the mean log-probability per token of each recorded turn under its prompt, end of text included."""
    return mean_log_probs(policy, [_example(policy, item) for item in items])


def pairwise_accuracy(good: Sequence[float], bad: Sequence[float]) -> Estimate:
    """Return the share of pairs in which the good one is larger, ties by half. The interval is DeLong's (1988)."""
    wins_GB = numpy.subtract.outer(numpy.asarray(good), numpy.asarray(bad))
    shares_GB = (wins_GB > 0) + 0.5 * (wins_GB == 0)
    accuracy = float(shares_GB.mean())
    variance = sum(_variance(shares_GB.mean(axis)) / shares_GB.shape[1 - axis] for axis in (0, 1))
    margin = Z * variance**0.5
    return Estimate(accuracy, max(0.0, accuracy - margin), min(1.0, accuracy + margin), shares_GB.size)


def _variance(shares: NDArray[numpy.float64]) -> float:
    return float(shares.var(ddof=1)) if len(shares) > 1 else 0.0


def _example(policy: Policy, item: Item) -> Example:
    if item.target is None:
        raise DataError(f"{item.id}.target", None, "only what was said can be looked at")
    policy.check_prompt(item.prompt, 0)
    response = policy.encode(item.target)
    return Example((item.prompt,), (response,), "likelihood", imitation_weights=torch.ones(len(response)))
