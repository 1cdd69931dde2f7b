"""Likelihood of recorded turns that were rewarded, against that of turns that were not.

The rewards of a log belong to what was said then, and cannot judge what a policy would say now. What can be measured,
on turns that were held back, is whether training moved the policy towards the good ones and away from the bad.

Arrays: R runs, G rewarded turns, B unrewarded turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from numpy.typing import NDArray

from backsight.errors import DataError
from backsight.evaluation.across_seeds import seed_scores
from backsight.evaluation.log_probs import mean_log_probs
from backsight.evaluation.statistics import Estimate, Z, estimate, student_quantile
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


def compare_likelihoods_over_seeds(
    items: Sequence[Item], runs: Sequence[Sequence[float]], base_log_probs: Sequence[float]
) -> Likelihood:
    """Compare as `compare_likelihoods` does, as means over runs of a method that differ in their seed.

    The intervals allow for other seeds and other turns; with one run, for other turns.
    """
    each = [compare_likelihoods(items, own, base_log_probs) for own in runs]
    if len(runs) == 1:
        return each[0]
    kinds = [is_rewarded(item) for item in items]
    good, bad = ([index for index, kind in enumerate(kinds) if kind is wanted] for wanted in (True, False))
    rewarded, unrewarded = (seed_scores([[own[index] for index in some] for own in runs]) for some in (good, bad))
    assert rewarded is not None and unrewarded is not None
    shares_RGB = numpy.stack(
        [_shares(*([own[index] - base_log_probs[index] for index in some] for some in (good, bad))) for own in runs]
    )
    return Likelihood(rewarded.estimate, unrewarded.estimate, _accuracy_over_seeds(shares_RGB))


def _accuracy_over_seeds(shares_RGB: NDArray[numpy.float64]) -> Estimate:
    """Return the mean of the runs' accuracies. Its variance is that of the runs' mean, and DeLong's of the turns.

    The turns' part holds some noise of the runs as well, so that the interval is rather too wide than too narrow.
    """
    accuracies_R = shares_RGB.mean(axis=(1, 2))
    mean, runs = float(accuracies_R.mean()), len(accuracies_R)
    of_runs = float(accuracies_R.var(ddof=1)) / runs
    shares_GB = shares_RGB.mean(axis=0)
    of_turns = _delong(shares_GB)
    uncertainty = of_runs**2 / (runs - 1) + of_turns**2 / max(1, min(shares_GB.shape) - 1)
    freedom = max(1.0, (of_runs + of_turns) ** 2 / uncertainty) if uncertainty else 1.0
    margin = student_quantile(freedom) * math.sqrt(of_runs + of_turns)
    return Estimate(mean, max(0.0, mean - margin), min(1.0, mean + margin), shares_GB.size)


def turn_log_probs(policy: Policy, items: Sequence[Item]) -> list[float]:
    """Compute the mean log-probability per token of each recorded turn under its prompt, end of text included."""
    return mean_log_probs(policy, [_example(policy, item) for item in items])


def pairwise_accuracy(good: Sequence[float], bad: Sequence[float]) -> Estimate:
    """Return the share of pairs in which the good one is larger, ties by half. The interval is DeLong's (1988)."""
    shares_GB = _shares(good, bad)
    accuracy = float(shares_GB.mean())
    margin = Z * _delong(shares_GB) ** 0.5
    return Estimate(accuracy, max(0.0, accuracy - margin), min(1.0, accuracy + margin), shares_GB.size)


def _shares(good: Sequence[float], bad: Sequence[float]) -> NDArray[numpy.float64]:
    """Return 1 where the good one is larger, 1/2 where both are the same, and 0 elsewhere, (G, B)."""
    wins_GB = numpy.subtract.outer(numpy.asarray(good), numpy.asarray(bad))
    return numpy.asarray((wins_GB > 0) + 0.5 * (wins_GB == 0), dtype=float)


def _delong(shares_GB: NDArray[numpy.float64]) -> float:
    """Return the variance of the mean over pairs, of which each turn has many."""
    return float(sum(_variance(shares_GB.mean(axis)) / shares_GB.shape[1 - axis] for axis in (0, 1)))


def _variance(shares: NDArray[numpy.float64]) -> float:
    return float(shares.var(ddof=1)) if len(shares) > 1 else 0.0


def _example(policy: Policy, item: Item) -> Example:
    if item.target is None:
        raise DataError(f"{item.id}.target", None, "only what was said can be looked at")
    policy.check_prompt(item.prompt, 0)
    response = policy.encode(item.target)
    return Example((item.prompt,), (response,), "likelihood", imitation_weights=torch.ones(len(response)))
