"""What a reward function may say of a completion instead of a number: a record of all that was revealed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict, TypeVar

from backsight.errors import RewardError, nearest, shown
from backsight.feedback.numbers import finite_reward, truth
from backsight.types import Feedback, Observation, Trajectory, is_chat

_T = TypeVar("_T")


class FeedbackRecord(TypedDict, total=False):
    """What a reward function reveals of one completion. Each key may be left out; None and blank text say nothing.

    `backsight.Feedback` has the same, and says what learns from it.
    """

    reward: float | None
    """Reward, which is weighted and summed with those of the other functions; None: the function does not apply."""
    success: bool | None
    """Whether the completion is what was asked for."""
    text: str | None
    """A comment in words."""
    correction: str | None
    """What should have been answered."""
    achieved_prompt: Observation | Sequence[Observation] | None
    """The prompt that the completion would have been right for, text or messages; of a chat prompt, text replaces the
    user's last message. For an episode of several steps, a list of one prompt a step."""
    outcome: str | None
    """What came of it, in words."""
    rewards: Mapping[str, float] | None
    """Further numbers to report by name. They are not part of the reward."""


_KEYS = tuple(FeedbackRecord.__annotations__)


def read_record(record: Mapping[object, object], author: str, row: int) -> Feedback:
    """Return a record as feedback, with plain numbers in it.

    Whether the achieved prompts fit the episode is not known here; see `fit_prompts`.

    Raises:
        RewardError: when a key is unknown, or what it holds is of another type. The message names `author`, key and
            `row`.
    """
    for key in record:
        if key not in _KEYS:
            raise RewardError(author, f"returned the key {shown(key)} for completion {row}", nearest(str(key), _KEYS))
    said = {str(key): value for key, value in record.items() if value is not None and not _is_blank(value)}

    def read(key: str, reader: Callable[[object, str], _T]) -> _T | None:
        return reader(said[key], f"{author}, '{key}' of completion {row}") if key in said else None

    return Feedback(
        reward=read("reward", finite_reward),
        rewards=read("rewards", _named) or {},
        success=read("success", truth),
        achieved_prompts=read("achieved_prompt", _prompts),
        text=read("text", _text),
        correction=read("correction", _text),
        outcome=read("outcome", _text),
    )


def fit_prompts(prompts: Sequence[Observation], trajectory: Trajectory, author: str) -> tuple[Observation, ...]:
    """Return achieved prompts in the form of those that were asked, (S,).

    Raises:
        RewardError: when there is not one for each step, or a text was asked and messages were achieved.
    """
    place, asked = f"{author}, 'achieved_prompt'", trajectory.prompts
    if len(prompts) != len(asked):
        what = f"{len(prompts)} for an episode of {len(asked)} steps"
        raise RewardError(place, what, "give a list with one prompt a step")
    return tuple(_in_form_of(*pair, place) for pair in zip(asked, prompts, strict=True))


def _in_form_of(asked: Observation, achieved: Observation, place: str) -> Observation:
    """Return a prompt as text where text was asked, and as messages where messages were."""
    if not is_chat(asked):
        if is_chat(achieved):
            raise RewardError(place, shown(achieved), "the prompts are text; give text as well")
        return achieved
    if is_chat(achieved):
        return achieved
    last = max((number for number, each in enumerate(asked) if each["role"] == "user"), default=None)
    message = {"role": "user", "content": achieved}
    return [message] if last is None else [*asked[:last], {**asked[last], **message}, *asked[last + 1 :]]


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise RewardError(place, shown(value), "give text, or None to say nothing")
    return value


def _named(value: object, place: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise RewardError(place, shown(value), "give numbers by name")
    return {str(name): finite_reward(number, f"{place}, {name}") for name, number in value.items()}


def _prompts(value: object, place: str) -> tuple[Observation, ...]:
    prompts = list(value) if isinstance(value, list | tuple) and not is_chat(value) else [value]
    if not prompts or not all(is_chat(each) or (isinstance(each, str) and each.strip()) for each in prompts):
        remedy = "give text or messages; for an episode of several steps, a list of one prompt a step"
        raise RewardError(place, shown(value), remedy)
    return tuple(prompts)
