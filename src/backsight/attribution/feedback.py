"""Which tokens of an attempt what was said of it speaks for or against.

The effect of a piece of feedback on a token is the change of the token's log-probability when the policy is told the
feedback before it answers:

    log π(token | prompt with the feedback) - log π(token | prompt without it)

It is exact, one more forward pass for each sentence that is left out. Above zero the feedback makes the token more
likely; where it is far below, the feedback says that this token was wrong. Tensors: T decisions of the attempt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.errors import DataError
from backsight.hindsight.hints import Hints
from backsight.policies.base import Policy
from backsight.types import Example, Group, Observation, Sampling, Trajectory

SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n+")
"""The places between sentences."""
MOST_SENTENCES = 50
"""Most sentences that are left out one by one; those behind them are left out together."""


@dataclass(frozen=True, slots=True)
class FeedbackEffect:
    """The effect of what was revealed of an attempt on each of its decisions, in nats."""

    hint: str
    """What the policy is told."""
    whole_T: Tensor
    """Effect of all of it."""
    sentences: tuple[str, ...]
    by_sentence: tuple[Tensor, ...]
    """Effect of each sentence beside the others, (T,) each; they need not sum to that of the whole."""


def feedback_effect(
    policy: Policy, attempt: Trajectory, sampling: Sampling, *, group: Group | None = None, said: str | None = None
) -> FeedbackEffect:
    """Measure how what was revealed of an attempt changes the probability of each of its decisions.

    `said` are words of one's own instead of the attempt's feedback. `group` holds its siblings, of which one that
    succeeded may be the hint.

    Raises:
        DataError: when nothing was revealed in words, the prompts are no text, or the hint leaves no room.
    """
    hints = Hints()
    hint = said or hints.hint(attempt, group or Group(attempt.start))
    if hint is None:
        remedy = "nothing was revealed of it in words, nor a right answer; give --feedback TEXT"
        raise DataError("attempt", "feedback", remedy)
    if any(not isinstance(prompt, str | list) for prompt in attempt.prompts):
        raise DataError("attempt", "prompts", "are not in words, so that they cannot hold feedback")
    sentences = split_sentences(hint)
    rests = [" ".join((*sentences[:place], *sentences[place + 1 :])) for place in range(len(sentences))]
    told = [_told(attempt.prompts, text, hints) for text in [hint, *rests]]
    for prompt in told[0]:
        policy.check_prompt(prompt, sampling.max_completion_length)
    rows = [Example(prompts, attempt.responses, "explain") for prompts in [attempt.prompts, *told]]
    without_T, with_T, *others = _log_probs(policy, rows, attempt.num_decisions, sampling)
    return FeedbackEffect(hint, with_T - without_T, tuple(sentences), tuple(with_T - each for each in others))


def split_sentences(text: str) -> list[str]:
    """Split a text into its sentences; the last one holds what is left after `MOST_SENTENCES`."""
    found = [each.strip() for each in SENTENCE.split(text) if each and each.strip()]
    if len(found) > MOST_SENTENCES:
        found = [*found[: MOST_SENTENCES - 1], " ".join(found[MOST_SENTENCES - 1 :])]
    return found


def _told(prompts: Sequence[Observation], hint: str, hints: Hints) -> tuple[Observation, ...]:
    """Return the prompts with the hint; as they are where nothing of it is left."""
    return tuple(hints.with_text(prompt, hint) if hint else prompt for prompt in prompts)


@torch.no_grad()
def _log_probs(policy: Policy, rows: Sequence[Example], count: int, sampling: Sampling) -> list[Tensor]:
    found: list[Tensor] = []
    for row in rows:  # one by one: their prompts differ, and there are few
        found.append(policy.log_probs([row], sampling.whole).log_probs_N.cpu())
        assert len(found[-1]) == count
    return found
