"""Prompts with a hint: a teacher, or a policy that tries again, is told what was revealed.

The hint is the first of these that is known: a solution that the method hands over, a correction, an answer with which
a sibling succeeded (never the attempt's own, or a lone success would teach itself), a comment on the attempt in words,
what came of it. S steps of an attempt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from backsight.errors import ConfigError, DataError
from backsight.hindsight.options import TEMPLATE, Whose
from backsight.types import Group, Observation, PartialCompletion, Trajectory

if TYPE_CHECKING:
    from backsight.hindsight.base import Scorer, Told


class Hints:
    """Writer of prompts that hold a hint.

    Args:
        template: text with ``{prompt}`` and ``{hint}``; of chat messages, the user's last one is rewritten.
        introduce: whether to say what kind of hint it is; otherwise the hint is the bare text.
        whose: whose hint `inform_all` puts into the prompts of an attempt with a hint: its own, that of an attempt at
            another prompt, or none, so that they stay as they are.

    Raises:
        ConfigError: when the template lacks ``{prompt}`` or ``{hint}``.
    """

    def __init__(self, template: str = TEMPLATE, introduce: bool = True, whose: Whose = "own") -> None:
        for place in ("{prompt}", "{hint}"):
            if place not in template:
                raise ConfigError("template", template, f"has no {place}; write it where it belongs")
        self.template, self.introduce, self.whose = template, introduce, whose

    def inform_all(
        self, attempts: Iterable[tuple[Trajectory, Group]], scorer: Scorer, *, with_gold: bool = False
    ) -> Told:
        """Return the prompts with hints of all attempts that have one which fits into the context.

        The hints are those of other attempts, or left out, where `whose` says so. `with_gold` puts the gold answer of
        the item, where there is one, before all other hints.
        """
        pairs = [
            (attempt, self.hint(attempt, group, getattr(group.start, "target", None) if with_gold else None))
            for attempt, group in attempts
            if are_words(attempt.prompts)
        ]
        hints = _exchange(pairs) if self.whose == "other" else [hint for _, hint in pairs]
        told = {}
        for (attempt, _), hint in zip(pairs, hints, strict=True):
            prompts = self.inform(attempt, hint)
            if attempt.key is not None and prompts is not None and scorer.fits(prompts):
                told[attempt.key] = prompts
        return told

    def inform(self, trajectory: Trajectory, hint: str | None) -> tuple[Observation, ...] | None:
        """Return the prompts of the attempt with the hint in them, (S,); None without a hint, or without words."""
        if hint is None or not are_words(trajectory.prompts):
            return None
        if self.whose == "absent":
            return trajectory.prompts
        return tuple(self.with_text(prompt, hint) for prompt in trajectory.prompts)

    def hint(self, trajectory: Trajectory, group: Group, solution: str | None = None) -> str | None:
        """Return the hint about an attempt as text; None when nothing was revealed."""
        feedback = trajectory.feedback
        answer = solution or feedback.correction or sibling_success(trajectory, group)
        for words, text in (
            ("A correct answer", answer),
            ("What was said of an earlier answer", feedback.text),
            ("What came of an earlier answer", feedback.outcome),
        ):
            if text:
                return f"{words}: {text.strip()}" if self.introduce else text.strip()
        return None

    def with_text(self, observation: Observation, hint: str) -> Observation:
        """Return the observation, a text or chat messages, with the hint in it."""
        if isinstance(observation, str):
            return self._fill(observation, hint)
        messages: Sequence[dict[str, str]] = observation
        last = max((place for place, each in enumerate(messages) if each["role"] == "user"), default=None)
        if last is None:
            return [{"role": "user", "content": hint}, *messages]
        told = {**messages[last], "content": self._fill(messages[last]["content"], hint)}
        return [*messages[:last], told, *messages[last + 1 :]]

    def _fill(self, prompt: str, hint: str) -> str:
        # both are filled in one pass, so that neither text is searched for the other's placeholder
        texts = {"{prompt}": prompt, "{hint}": hint}
        return re.sub(r"\{prompt\}|\{hint\}", lambda place: texts[place.group()], self.template)


def are_words(prompts: Iterable[Observation]) -> bool:
    """Return whether all prompts are text or chat messages, so that words can be put into them."""
    return all(isinstance(prompt, str | list) for prompt in prompts)


def sibling_success(trajectory: Trajectory, group: Group) -> str | None:
    """Return what the best sibling that succeeded said, turn by turn; None when no other attempt did.

    The best has the highest reward; of equals it is the first one.
    """
    others = [each for each in group.trajectories if each is not trajectory and each.succeeded and all(each.texts)]
    if not others:
        return None
    return "\n".join(max(others, key=lambda each: each.total_reward if each.is_scored else -math.inf).texts)


def _exchange(pairs: Sequence[tuple[Trajectory, str | None]]) -> list[str | None]:
    """Return, for each attempt with a hint, that of the next one at another prompt, in a circle; None without one."""
    known = [(attempt.prompts, hint) for attempt, hint in pairs if hint is not None]
    exchanged: list[str | None] = []
    for attempt, hint in pairs:
        known = [*known[1:], known[0]] if hint is not None else known
        others = [other for prompts, other in known if hint is not None and prompts[0] != attempt.prompts[0]]
        exchanged.append(others[0] if others else None)
    return exchanged


_PREPEND, _APPEND = Hints("{hint}{prompt}"), Hints("{prompt}{hint}")


def prepend_words(words: str, prompt: Observation) -> Observation:
    """Put words before a text, or before the user's last chat message; empty words leave the prompt as it is.

    Raises:
        DataError: when the prompt is made of numbers.
    """
    return _put(_PREPEND, words, prompt)


def append_words(words: str, prompt: Observation) -> Observation:
    """Put words behind a text, or behind the user's last chat message; empty words leave the prompt as it is.

    Raises:
        DataError: when the prompt is made of numbers.
    """
    return _put(_APPEND, words, prompt)


def _put(place: Hints, words: str, prompt: Observation) -> Observation:
    if not words:
        return prompt
    if isinstance(prompt, PartialCompletion):
        return PartialCompletion(_put(place, words, prompt.prompt), prompt.tokens)
    if not isinstance(prompt, str | list):
        raise DataError("observation", prompt, "only a prompt in words can say what is wanted; use relabel or command")
    return place.with_text(prompt, words)
