"""A trial before any training: one prompt as the policy sees it, and what the policy answers."""

from __future__ import annotations

from collections.abc import Iterator

from backsight.feedback.pool import FeedbackPool
from backsight.policies.text import TextPolicy
from backsight.rollouts.collect import collect
from backsight.runs.start import RunParts
from backsight.tasks.base import draw_items
from backsight.types import Group, Observation, Trajectory

ANSWERS = 3
MOST_SHOWN = 600
"""Most characters that are shown of a prompt or an answer."""


def try_out(parts: RunParts) -> Iterator[tuple[str, str]]:
    """Yield a prompt and some sampled answers with their rewards, by a name for each, and a warning if it has to be.

    Raises:
        RewardError: when the answers cannot be judged at all.
    """
    split = next(iter(parts.task.eval_splits), parts.task.train_split)
    item = draw_items(parts.task.items(split), 1)[0]
    pool = FeedbackPool(parts.feedback)
    sampled = collect(
        parts.loaded_engine(), parts.environments, [item], ANSWERS, parts.config.sampling, parts.config.seed
    )
    group: Group = next(iter(pool.wait(pool.submit(sampled, 1, parts.config.seed))))
    first = group.trajectories[0].steps[0].observation
    yield f"prompt of {split}/{item.id}", _shortened(repr(as_seen(parts.policy, first)))
    for number, each in enumerate(group.trajectories, start=1):
        yield f"answer {number}", f"{_reward(each)} {_shortened(repr(each.steps[0].action.text or ''))}"
    if not any(_is_understood(each, parts.task.understood) for each in group.trajectories):
        remedy = "see instruction, shots, prompt_format and max_completion_length"
        yield "answers", f"none of {ANSWERS} could be judged; {remedy}"


def as_seen(policy: TextPolicy, prompt: Observation) -> str:
    """Return a prompt as the policy sees it: the text of all its tokens."""
    text: str = policy.tokenizer.decode(policy.prompt_tokens(prompt))
    return text


def _reward(attempt: Trajectory) -> str:
    named = ", ".join(f"{name} {value:.2f}" for name, value in attempt.feedback.rewards.items())
    total = f"reward {attempt.total_reward:.2f}" if attempt.is_scored else "no reward"
    return f"({', '.join(filter(None, (total, named)))})"


def _is_understood(attempt: Trajectory, name: str | None) -> bool:
    """Return whether the judge understood an attempt; `name` is the reward that says so, if there is one."""
    return attempt.is_scored and (name is None or attempt.feedback.rewards.get(name, 1.0) > 0)


def _shortened(text: str) -> str:
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[: MOST_SHOWN // 2]} … {text[-MOST_SHOWN // 2 :]}"
