"""The weight of each decision in each part of the loss, settled for a whole batch before anything is cut.

Rows of different sources (what was sampled, and the rows of each method) are averaged apart: to add a method never
rescales the policy gradient on what was sampled, nor the rows of another method. Tensors: T decisions of an example.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.losses.policy_gradient import REDUCTIONS, token_mean
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import TrainingConfig
from backsight.training.frozen_scores import FrozenScores
from backsight.types import Example

ScoredExample = tuple[Example, FrozenScores]
"""An example, and the scores that frozen policies give to it."""


@dataclass(frozen=True, slots=True)
class WeightedExample:
    """An example, and the weights of its decisions in each part of the loss, (T,); zero in parts it has no share in."""

    example: Example
    scores: FrozenScores
    gradient_T: Tensor
    imitation_T: Tensor
    teacher_T: Tensor
    kl_T: Tensor
    entropy_T: Tensor
    mean_kl_T: Tensor
    """Weights of the mean over all decisions that have a divergence: for a metric, in no loss."""
    mean_ratio_T: Tensor
    """Weights of the mean over all decisions that have an importance ratio: for metrics, in no loss."""


def weigh_examples(scored: Sequence[ScoredExample], config: TrainingConfig) -> list[WeightedExample]:
    """Compute the weight of each decision in each part of the loss."""
    reduction = REDUCTIONS[ALGORITHMS[config.algorithm].reduction]
    examples = [example for example, _ in scored]
    counted = [0 if is_left_out(each, config) else each.num_decisions for each in examples]

    def reduce(lengths: Sequence[int]) -> Tensor:
        return reduction(lengths, config.max_completion_length)

    takes_kl = _kl_source(examples)
    columns = zip(
        _spread(examples, counted, _gradient_source, reduce),
        _spread(examples, counted, _imitation_source, token_mean),
        _weigh_taught(examples, counted),
        _spread(examples, counted, takes_kl, reduce),
        _spread(examples, counted, lambda each: "all", token_mean),
        _spread(examples, counted, takes_kl, token_mean),
        _spread(examples, counted, lambda each: "all" if _has_ratio(each) else None, token_mean),
        strict=True,
    )
    return [
        WeightedExample(
            example=example,
            scores=scores,
            gradient_T=gradient_T * example.weight,
            imitation_T=imitation_T * example.weight,
            teacher_T=teacher_T * example.weight,
            kl_T=kl_T * example.weight,
            entropy_T=entropy_T,
            mean_kl_T=mean_kl_T,
            mean_ratio_T=mean_ratio_T,
        )
        for (example, scores), (gradient_T, imitation_T, teacher_T, kl_T, entropy_T, mean_kl_T, mean_ratio_T) in zip(
            scored, columns, strict=True
        )
    ]


def is_left_out(example: Example, config: TrainingConfig) -> bool:
    """Return whether `mask_truncated_completions` keeps the example out of the loss: it holds an attempt of which the
    limit of the length cut off an answer.

    As with TRL's setting, none of its decisions counts, while the example still counts where rows are counted
    (`sequence_mean`, `constant`).
    """
    attempt = example.trajectory
    if not config.mask_truncated_completions or attempt is None or not attempt.is_unfinished:
        return False
    return all(own is sampled for own, sampled in zip(example.responses, attempt.responses, strict=False))


def _kl_source(examples: Sequence[Example]) -> Callable[[Example], Hashable | None]:
    """Return which rows are held to the reference: those of the policy gradient, or all where there are none."""
    if any(each.advantages is not None for each in examples):
        return lambda each: None if each.advantages is None else "all"
    return lambda each: "all"


def _has_ratio(example: Example) -> bool:
    return example.advantages is not None and example.behaviour_log_probs is not None


def _gradient_source(example: Example) -> Hashable | None:
    """Return what the advantages of a row come from; None when it has none. What was sampled is one source."""
    if not example.is_reinforced:
        return None
    return "sampled" if example.behaviour_log_probs is not None else example.sources.advantages


def _imitation_source(example: Example) -> Hashable | None:
    return None if example.imitation_weights is None else example.sources.imitation


def _spread(
    examples: Sequence[Example],
    counted: Sequence[int],
    source_of: Callable[[Example], Hashable | None],
    reduction: Callable[[Sequence[int]], Tensor],
) -> list[Tensor]:
    """Return the weights of each example, (T,), reduced over those of the same source; zero for those without one.

    `counted` are the numbers of decisions that count: all of an example, or none.
    """
    weights = [torch.zeros(example.num_decisions) for example in examples]
    places: dict[Hashable, list[int]] = {}
    for place, example in enumerate(examples):
        source = source_of(example)
        if source is not None:
            places.setdefault(source, []).append(place)
    for own in places.values():
        lengths = [counted[place] for place in own]
        for place, weights_T in zip(own, torch.split(reduction(lengths), lengths), strict=True):
            if counted[place]:
                weights[place] = weights_T
    return weights


def _weigh_taught(examples: Sequence[Example], counted: Sequence[int]) -> list[Tensor]:
    """Return the weights of the mean over the decisions that a teacher teaches, (T,): those with a weight above 0."""
    counts: dict[Hashable, int] = {}
    for example, count in zip(examples, counted, strict=True):
        if example.teacher_weights is not None and count:
            source = example.sources.teacher
            counts[source] = counts.get(source, 0) + int(example.teacher_weights.count_nonzero())
    return [
        torch.zeros(example.num_decisions)
        if example.teacher_weights is None or not count
        else torch.full((example.num_decisions,), 1 / max(1, counts[example.sources.teacher]))
        for example, count in zip(examples, counted, strict=True)
    ]
