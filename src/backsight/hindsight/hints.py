"""What was revealed, put before a prompt: how a teacher, or a second attempt, is told.

A hint is, in this order of preference: a correction, an answer that a sibling succeeded with (never one's own, or a
lone success would teach itself), what was said of the attempt in words, what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from backsight.errors import ConfigError
from backsight.hindsight.composition import succeeded
from backsight.types import Group, Observation, Trajectory

TEMPLATE = "{hint}\n{prompt}"
"""The hint comes first, because a prompt in text usually ends with the cue for the answer."""


class Hints:
    """Writes prompts for those who know more.

    Args:
        template: text with ``{prompt}`` and ``{hint}``; of chat messages, the last one of the user is rewritten.
        introduce: whether to say what kind of hint it is; without, the hint is the bare text.

    Raises:
        ConfigError: the template has no place for one of them.
    """

    def __init__(self, template: str = TEMPLATE, introduce: bool = True) -> None:
        for place in ("{prompt}", "{hint}"):
            if place not in template:
                raise ConfigError("template", template, f"has no {place}; write it where it belongs")
        self.template, self.introduce = template, introduce

    def informed(
        self, trajectory: Trajectory, group: Group, solution: str | None = None
    ) -> tuple[Observation, ...] | None:
        """(S,) the prompts of the attempt with what was revealed; None when nothing was, or it is not a text.

        `solution` is an answer that is known to be right, and goes before all else.
        """
        hint = self.hint(trajectory, group, solution)
        if hint is None or any(not isinstance(prompt, str | list) for prompt in trajectory.prompts):
            return None
        return tuple(self.with_text(prompt, hint) for prompt in trajectory.prompts)

    def hint(self, trajectory: Trajectory, group: Group, solution: str | None = None) -> str | None:
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
        """The same observation, text or chat messages, with the hint in it."""
        if isinstance(observation, str):
            return self._filled(observation, hint)
        messages: Sequence[dict[str, str]] = observation
        last = max((place for place, each in enumerate(messages) if each["role"] == "user"), default=None)
        if last is None:
            return [{"role": "user", "content": hint}, *messages]
        told = {**messages[last], "content": self._filled(messages[last]["content"], hint)}
        return [*messages[:last], told, *messages[last + 1 :]]

    def _filled(self, prompt: str, hint: str) -> str:
        # both in one go: neither may be searched for the other's place
        texts = {"{prompt}": prompt, "{hint}": hint}
        return re.sub(r"\{prompt\}|\{hint\}", lambda place: texts[place.group()], self.template)


def sibling_success(trajectory: Trajectory, group: Group) -> str | None:
    """What a sibling said that succeeded, turn by turn; None when no other did."""
    for other in group.trajectories:
        if other is not trajectory and succeeded(other):
            texts = [step.action.text for step in other.steps]
            if all(texts):
                return "\n".join(text.strip() for text in texts if text)
    return None
