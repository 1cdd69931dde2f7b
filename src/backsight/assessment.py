"""What `backsight evaluate` finds out: scores of a policy with intervals, and how it compares with another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from backsight.config import RunConfig
from backsight.errors import ConfigError, nearest
from backsight.evaluation.alarms import alarms, behaviour, counted_rewards
from backsight.evaluation.evaluator import Scores
from backsight.evaluation.forgetting import pieces_of, read_text, text_log_probs
from backsight.evaluation.paired import Comparison, compared
from backsight.evaluation.pass_at_k import item_passes
from backsight.evaluation.statistics import Estimate, estimate
from backsight.feedback.base import FeedbackSource
from backsight.finetuning import load_policy
from backsight.policies.text import TextPolicy
from backsight.rollouts.engines import engine_for
from backsight.session import Evaluation, check_prompts, evaluated, feedback_of
from backsight.tasks.base import Task

POLICY, AGAINST = "policy", "against"
GENERAL_TEXT = "general text"
"""Stands among the splits; its items are pieces of the text."""
LOG_PROBABILITY = "log-probability a token"

ItemScores = Mapping[str, Mapping[str, Sequence[float | None]]]
"""By split, name and item. None: the item has no such score."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that was found, of one policy or two."""

    paths: Mapping[str, str]
    """Of ``policy``, and of ``against``, the baseline, where there is one. What follows has the same keys."""
    num_samples: int
    """Attempts at each item; 1: a greedy one."""
    item_ids: Mapping[str, Sequence[str]]
    """By split."""
    scores: Mapping[str, ItemScores]
    estimates: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    """Of the same scores, over items, by split and name."""
    comparisons: Mapping[str, Mapping[str, Comparison]]
    """The policy against the baseline, by split and name."""
    alarms: Sequence[str]
    messages: Sequence[str] = ()
    """What else people have to know: how many prompts were shortened."""

    def as_dict(self) -> dict[str, Any]:
        """Of plain values, as for JSON."""
        return asdict(self)


def assess(
    config: RunConfig,
    task: Task,
    *,
    against: str | None = None,
    samples: int = 1,
    splits: Sequence[str] = (),
    general_text: Path | None = None,
    feedback: FeedbackSource | None = None,
) -> Assessment:
    """Evaluate the configured policy, and the one at `against` on the same items.

    One greedy attempt at each of the first `eval_items` items of the splits (all evaluation splits where none are
    named), or `samples` drawn with the configured temperature. `feedback` replaces the task's own judge.

    Raises:
        BacksightError: an argument, the text or a model does not fit; before anything is evaluated.
    """
    _check(task, samples, splits)
    text = None if general_text is None else read_text(general_text)
    paths = {POLICY: config.policy} | ({} if against is None else {AGAINST: against})
    policies = {
        role: load_policy(path, labels=task.labels, trust_remote_code=config.trust_remote_code, adapter=config.adapter)
        for role, path in paths.items()
    }
    pieces = [] if text is None else pieces_of(text, list(policies.values()))
    counts = dict.fromkeys(splits or task.eval_splits, config.eval_items)
    task, told = check_prompts([*policies.values()], task, config, counts)  # the same prompts for both policies
    source = feedback or feedback_of(task, None)

    def attempted(policy: TextPolicy) -> Evaluation:
        engine = engine_for(policy)
        return evaluated(engine, policy, task, source, config.sampling, config.eval_items, splits, samples)

    evaluations = {role: attempted(policy) for role, policy in policies.items()}
    scores = {role: _item_scores(evaluation) for role, evaluation in evaluations.items()}
    ids = {split: [str(own[0].start.id) for own in each.attempts] for split, each in evaluations[POLICY].items()}
    if pieces:
        ids[GENERAL_TEXT] = [str(number) for number in range(len(pieces))]
        for role, policy in policies.items():
            scores[role][GENERAL_TEXT] = {LOG_PROBABILITY: [*text_log_probs(policy, pieces)]}
    comparisons = _comparisons(scores[AGAINST], scores[POLICY]) if AGAINST in scores else {}
    return Assessment(
        paths=paths,
        num_samples=samples,
        item_ids=ids,
        scores=scores,
        estimates={role: _estimates(each, evaluations[role]) for role, each in scores.items()},
        comparisons=comparisons,
        alarms=_alarms(evaluations[POLICY], comparisons, source),
        messages=[] if told is None else [told],
    )


def _check(task: Task, samples: int, splits: Sequence[str]) -> None:
    if samples < 1:
        raise ConfigError("samples", samples, "has to be at least 1, which is one greedy attempt an item")
    known = (task.train_split, *task.eval_splits)
    for split in splits:
        if split not in known:
            raise ConfigError("splits", split, f"unknown; {nearest(split, known)}")


def _item_scores(evaluation: Evaluation) -> dict[str, Mapping[str, Sequence[float | None]]]:
    return {split: {**each.item_rewards, **_beside_rewards(each)} for split, each in evaluation.items()}


def _beside_rewards(scores: Scores) -> dict[str, list[float | None]]:
    return {**item_passes(scores.attempts), **behaviour(scores.attempts)}


def _estimates(scores: ItemScores, evaluation: Evaluation) -> dict[str, dict[str, Estimate]]:
    """Of the items' scores, and what is known of a split as a whole."""
    found = {
        split: {name: estimate([value for value in values if value is not None]) for name, values in named.items()}
        for split, named in scores.items()
    }
    for split, each in evaluation.items():
        found[split] |= each.split_metrics
    return found


def _comparisons(baseline: ItemScores, policy: ItemScores) -> dict[str, dict[str, Comparison]]:
    """Of every score that both have."""
    found = {
        split: {name: compared(baseline[split][name], values) for name, values in named.items() if name in own}
        for split, named in policy.items()
        for own in (baseline[split],)
    }
    return {split: {name: each for name, each in named.items() if each is not None} for split, named in found.items()}


def _alarms(
    evaluation: Evaluation, comparisons: Mapping[str, Mapping[str, Comparison]], source: FeedbackSource
) -> list[str]:
    counted = counted_rewards(source)
    found = []
    for split, scores in evaluation.items() if comparisons else ():
        passes = item_passes(scores.attempts)  # success, which the reward mostly is, and diversity, which is watched
        watched = {name: each for name, each in comparisons[split].items() if name not in passes}
        found += alarms(split, watched, scores.attempts, counted)
    return found
