"""Words put before or behind a prompt, by the methods that say in it what kind of answer is meant."""

from __future__ import annotations

from backsight.errors import DataError
from backsight.hindsight.hints import Hints
from backsight.types import Begun, Observation

_BEFORE, _BEHIND = Hints("{hint}{prompt}"), Hints("{prompt}{hint}")


def before(words: str, prompt: Observation) -> Observation:
    """Text, or chat messages whose last one of the user is told; no words leave the prompt as it is.

    Raises:
        DataError: the prompt is made of numbers.
    """
    return _worded(_BEFORE, words, prompt)


def behind(words: str, prompt: Observation) -> Observation:
    """The same, with the words at the end.

    Raises:
        DataError: the prompt is made of numbers.
    """
    return _worded(_BEHIND, words, prompt)


def _worded(place: Hints, words: str, prompt: Observation) -> Observation:
    if not words:
        return prompt
    if isinstance(prompt, Begun):
        return Begun(_worded(place, words, prompt.prompt), prompt.tokens)
    if not isinstance(prompt, str | list):
        raise DataError("observation", prompt, "only a prompt in words can say what is wanted; use relabel or command")
    return place.with_text(prompt, words)
