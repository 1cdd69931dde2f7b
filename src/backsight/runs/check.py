"""Checks before any training: gold answers, prompts, answers, and whether sampler and learner agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any, TypeVar

from backsight.config import RunConfig
from backsight.evaluation.agreement import sampler_learner_difference
from backsight.feedback.asking import ask, patience
from backsight.policies.text import LanguageModelPolicy
from backsight.runs.start import RunParts, begin
from backsight.runs.trial import try_out
from backsight.tasks.base import PromptTask, Task, draw_items, has_full_marks
from backsight.types import Feedback

_T = TypeVar("_T")

GRADED = 200
"""Most gold answers of a split that are looked at."""
SHOWN = 60
"""Most characters that are shown of a gold answer."""


def check(config: RunConfig, task: Task) -> list[tuple[str, str]]:
    """Run all checks, and return the name and outcome of each, a prompt and answers at last. One that fails raises.

    Raises:
        DataError: when a gold answer does not get full marks, or a prompt is too long.
        ModelError: when sampler and learner disagree about the probability of what was sampled.
    """
    parts = begin(config, task)
    task = parts.task
    splits = (task.train_split, *task.eval_splits)
    with patience(config.reward_timeout):
        graded = {split: _ask(task, task.validate, split, GRADED) for split in splits}
        outcomes = {split: "".join(_outcome(parts, split, count)) for split, count in graded.items()}
        tried = list(try_out(parts))
    if config.bf16:
        parts.policy.module.bfloat16()
    largest = sampler_learner_difference(parts.policy, parts.loaded_engine(), task, config)
    return [
        *((f"gold answers of {split}", outcome) for split, outcome in outcomes.items()),
        *([] if parts.storage is None else [("policy", parts.storage)]),
        ("prompts", parts.cut or f"leave room for {config.max_completion_length} tokens"),
        ("sampler and learner", f"log-probabilities differ by at most {largest:.1e}"),
        *tried,
    ]


def _ask(task: Task, function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function of the task, which may be anybody's code."""
    return ask(f"task '{task.name}', gold answers", "mend the task", function, *arguments)


def _outcome(parts: RunParts, split: str, count: int) -> Iterator[str]:
    """Yield what was found about the gold answers of a split, and how many of them the policy cannot write.

    A tokenizer may know no token for a character, or replace it, as those do that normalise. What it gives back is the
    best that can be written.
    """
    yield f"{count} score full marks"
    task, policy, most = parts.task, parts.policy, parts.config.max_completion_length
    if not isinstance(task, PromptTask) or not isinstance(policy, LanguageModelPolicy) or not count:
        return
    gold = [item for item in draw_items(task.items(split), GRADED) if item.target is not None]
    tokens = [policy.encode(str(item.target)) for item in gold]
    written = [policy.decode(each) for each in tokens]
    judged = [_ask(task, task.judge, item, text) for item, text in zip(gold, written, strict=True)]
    lost = [place for place, feedback in enumerate(judged) if not has_full_marks(feedback, task.full_marks)]
    if lost:
        first = lost[0]
        shown = f"{_shortened(written[first])!r} for {_shortened(str(gold[first].target))!r}"
        means = ", ".join(
            f"{name} {fmean(each):.2f}" for name, each in _named([judged[place] for place in lost]).items()
        )
        yield f", but {len(lost)} of them come back from the policy's tokenizer with {means} ({shown})"
    if too_long := sum(len(each) > most for each in tokens):
        yield f", and {too_long} of them are longer than max_completion_length={most} tokens"


def _named(judged: list[Feedback]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for each in judged for name in each.rewards)
    return {name: [each.rewards[name] for each in judged if name in each.rewards] for name in names}


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
