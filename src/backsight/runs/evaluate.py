"""Evaluation of a policy with intervals, and its comparison with another one on the same items."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backsight.config import RunConfig
from backsight.errors import ConfigError, nearest
from backsight.evaluation.alarms import behaviour_metrics, counted_rewards, find_alarms
from backsight.evaluation.evaluator import Evaluation, Scores
from backsight.evaluation.forgetting import cut_into_pieces, read_text, text_log_probs
from backsight.evaluation.paired import Comparison, compare_scores
from backsight.evaluation.pass_at_k import item_passes
from backsight.evaluation.statistics import Estimate, estimate
from backsight.interfaces import FeedbackSource
from backsight.policies.text import TextPolicy
from backsight.presets.base import TaskChoice, configure
from backsight.runs.start import PolicyChoice, RewardFuncs, begin, choose_policy, open_model
from backsight.tasks.base import Task

POLICY, AGAINST = "policy", "against"
GENERAL_TEXT = "general text"
"""Name among the splits for the general text, whose items are pieces of it."""
LOG_PROBABILITY = "log-probability a token"

ItemScores = Mapping[str, Mapping[str, Sequence[float | None]]]
"""Scores by split, name and item; None where an item has no such score."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Results of one policy, or of two on the same items."""

    splits: Evaluation
    """Results of each split, attempts included, for the policy."""
    paths: Mapping[str, str]
    """Paths by role: ``policy``, and ``against``, the baseline, if there is one. Other fields by role have the same
    keys."""
    num_samples: int
    """Number of attempts at each item; 1 is a greedy one."""
    item_ids: Mapping[str, Sequence[str]]
    """Ids of the items by split."""
    scores: Mapping[str, ItemScores]
    """Scores of the items by role, split and name."""
    estimates: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    """Means of the scores over items with intervals, by role, split and name."""
    comparisons: Mapping[str, Mapping[str, Comparison]]
    """Comparisons of the policy with the baseline, by split and name."""
    alarms: Sequence[str]
    """Signs of reward hacking, one line each: the reward rose and something else went the wrong way."""
    messages: Sequence[str] = ()
    """Messages to the user, such as how many prompts were shortened."""

    def __getitem__(self, split: str) -> Scores:
        """Return the results of a split."""
        return self.splits[split]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as for JSON, without the attempts."""
        fields = asdict(replace(self, splits={}))
        del fields["splits"]
        return fields


def evaluate(
    policy: PolicyChoice,
    task: TaskChoice,
    *,
    against: str | os.PathLike[str] | None = None,
    samples: int = 1,
    splits: Sequence[str] = (),
    general_text: str | os.PathLike[str] | None = None,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
    **settings: Any,
) -> Assessment:
    """Evaluate a policy on a task, as `backsight evaluate` does; see `assess`.

    `policy` and `task` are those of `finetune`. Settings are those of `RunConfig`, by name, as far as they concern an
    attempt: `eval_items`, `max_completion_length`, `stop_strings`, `long_prompts`. A warning says how many prompts were
    cut.

        backsight.evaluate("runs/mine", task, eval_items=500)["test"].reward.mean

    Raises:
        BacksightError: when a setting, the model, a prompt or a reward function does not fit.
    """
    policy, settings["policy"] = choose_policy(policy)
    config, build_task = configure(task, settings)
    found = assess(
        config,
        build_task(config),
        policy,
        against=None if against is None else os.fspath(against),
        samples=samples,
        splits=splits,
        general_text=None if general_text is None else Path(general_text),
        reward_funcs=reward_funcs,
        feedback=feedback,
    )
    for message in found.messages:
        warnings.warn(message, stacklevel=2)
    return found


def assess(  # noqa: PLR0913  (the options of the command)
    config: RunConfig,
    task: Task,
    policy: str | TextPolicy | None = None,
    *,
    against: str | None = None,
    samples: int = 1,
    splits: Sequence[str] = (),
    general_text: Path | None = None,
    reward_funcs: RewardFuncs | None = None,
    feedback: FeedbackSource | None = None,
) -> Assessment:
    """Evaluate the configured policy, and the one at `against` on the same items.

    One greedy attempt is made at each of up to `eval_items` items of the splits (all evaluation splits if none are
    named), which are drawn, the same ones in every run; or several `samples` are taken of each with the configured
    temperature. `reward_funcs` or `feedback` replace the task's own judge.

    Raises:
        BacksightError: when an argument, the text or a model does not fit. Nothing is evaluated then.
    """
    _check(task, samples, splits)
    text = None if general_text is None else read_text(general_text)
    baseline = None if against is None else open_model(against, config, task)
    beside = [] if baseline is None else [baseline]
    own = begin(
        config,
        task,
        policy,
        beside=beside,
        splits=splits or task.eval_splits,
        reward_funcs=reward_funcs,
        feedback=feedback,
    )
    runs = {POLICY: own}
    if baseline is not None:  # the same prompts for both policies
        runs[AGAINST] = begin(config, own.task, baseline, splits=splits or task.eval_splits, feedback=own.feedback)
    pieces = [] if text is None else cut_into_pieces(text, [each.policy for each in runs.values()])
    evaluations = {role: parts.evaluate(splits, num_samples=samples) for role, parts in runs.items()}
    scores = {role: _item_scores(evaluation) for role, evaluation in evaluations.items()}
    ids = {split: [str(items[0].start.id) for items in each.attempts] for split, each in evaluations[POLICY].items()}
    if pieces:
        ids[GENERAL_TEXT] = [str(number) for number in range(len(pieces))]
        for role, parts in runs.items():
            scores[role][GENERAL_TEXT] = {LOG_PROBABILITY: [*text_log_probs(parts.policy, pieces)]}
    comparisons = _compare(scores[AGAINST], scores[POLICY]) if AGAINST in scores else {}
    return Assessment(
        splits=evaluations[POLICY],
        paths={POLICY: config.policy} | ({} if against is None else {AGAINST: against}),
        num_samples=samples,
        item_ids=ids,
        scores=scores,
        estimates={role: _estimates(each, evaluations[role]) for role, each in scores.items()},
        comparisons=comparisons,
        alarms=_alarms(evaluations[POLICY], comparisons, own.feedback),
        messages=own.messages,
    )


def _check(task: Task, samples: int, splits: Sequence[str]) -> None:
    if samples < 1:
        raise ConfigError("samples", samples, "has to be at least 1, which is one greedy attempt an item")
    known = (task.train_split, *task.eval_splits)
    for split in splits:
        if split not in known:
            raise ConfigError("splits", split, f"unknown; {nearest(split, known)}")


def _item_scores(evaluation: Evaluation) -> dict[str, Mapping[str, Sequence[float | None]]]:
    return {
        split: {**each.item_rewards, **item_passes(each.attempts), **behaviour_metrics(each.attempts)}
        for split, each in evaluation.items()
    }


def _estimates(scores: ItemScores, evaluation: Evaluation) -> dict[str, dict[str, Estimate]]:
    """Return the means of the items' scores, and the metrics of a split as a whole."""
    found = {
        split: {name: estimate([value for value in values if value is not None]) for name, values in named.items()}
        for split, named in scores.items()
    }
    for split, each in evaluation.items():
        found[split] |= each.split_metrics
    return found


def _compare(baseline: ItemScores, policy: ItemScores) -> dict[str, dict[str, Comparison]]:
    """Compare the two policies in every score that both have."""
    found = {
        split: {name: compare_scores(baseline[split][name], values) for name, values in named.items() if name in own}
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
        found += find_alarms(split, watched, scores.attempts, counted)
    return found
