"""Text environments with Gymnasium's API: episodes of turns, each with a prompt and the policy's response to it.

An environment is any object with

    reset(seed=...)    -> (observation, info)
    step(action: str)  -> (observation, reward, terminated, truncated, info)

These, and `close` where there is one, may be asynchronous (``async def``): those of all episodes wait together then, in
one event loop.

An observation holds only what is new: a text, or chat messages ``[{"role": ..., "content": ...}]``. The prompt of a
turn is made of the observations and responses so far. Every turn is a step with a prompt and a response of its own, so
only tokens that the policy sampled are trained.

Entries that an environment may put into `info`, all of them optional:

    potential   a number: how good the state is that is observed now, at the start as well
    feedback    a comment on what just happened; the comments of all turns become the text of the episode's feedback
    rewards     numbers by name, of the episode so far; those of the last turn become its named rewards
    success     whether the episode reached what was asked; the last turn counts
    outcome     the consequence of the episode in the world, in words; the last turn counts

If an environment has a method ``achieved(transitions)``, it is called for an episode that did not succeed. With S turns
of the episode, `transitions` are S triples of an observation, the response to it and the next observation. The method
returns the S observations as they would have read if what was achieved had been what was asked, or None.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from backsight.errors import RewardError, SpaceError, shown
from backsight.feedback.daemons import EventLoop
from backsight.feedback.environment import ask_environment
from backsight.feedback.numbers import finite_reward, in_order, truth
from backsight.interfaces import Pending, StepResult
from backsight.types import Action, Feedback, Observation, is_chat

_T = TypeVar("_T")
_LOOP = EventLoop("environments")
_SHAPES = "give text, or a list of messages with 'role' and 'content'"


class TextEpisode:
    """One episode of a text environment. Its last step carries its `Feedback`.

    The prompt of a turn is a text: earlier observations and completions as they stood, with a line break after each
    completion, and the newest observation, which should end with the cue to act. It is a list of messages instead if
    the environment's first observation is one, or if `chat` is set: the environment then speaks as the user and the
    policy as the assistant.

    Args:
        env: a fresh environment. It is closed when the episode is over, if it has a method `close`.
        seed: the seed that the environment is reset with.
        max_turns: number of turns after which the episode is truncated.
        memory: number of turns before the newest observation that the policy sees; None: all, 0: none. System messages
            at the start are always seen. Methods that compare steps by their observations (GiGPO, GraphHCA) need 0.
        chat: whether observations in text become messages.
        fits: returns whether a prompt leaves room for a completion. An episode whose next prompt does not is truncated.
    """

    def __init__(
        self,
        env: Any,
        seed: int,
        max_turns: int,
        *,
        memory: int | None = None,
        chat: bool = False,
        fits: Callable[[Observation], bool] | None = None,
    ) -> None:
        self.env, self.seed, self.max_turns = env, seed, max_turns
        self.memory, self.chat, self.fits = memory, chat, fits
        self.observations: list[Observation] = []
        self.said: list[str] = []
        self.comments: list[str] = []
        self.potential: float | None = None
        self.is_over = False

    def reset(self) -> Observation | Pending[Observation]:
        """Reset the environment and return the first prompt.

        Raises:
            SpaceError: when the environment does not answer as Gymnasium's do, in text or messages.
            RewardError: when the environment raised or gave no answer in time, or the potential is not a finite number.
        """
        answer = _reset(self.env, self.seed)
        return _later("env.reset", answer, self._begin) if inspect.isawaitable(answer) else self._begin(answer)

    def _begin(self, answer: object) -> Observation:
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise SpaceError("env.reset", type(answer).__name__, "return (observation, info), as in Gymnasium")
        observation, info = answer
        self.chat = self.chat or isinstance(observation, list)
        self._observe("env.reset", observation, info)
        return self._prompt(self.observations)

    def step(self, action: Action) -> StepResult | Pending[StepResult]:
        """Give the environment the text of an action, and return its answer with the next prompt.

        Raises:
            SpaceError: when the action has no text, or the environment does not answer as Gymnasium's do.
            RewardError: when the environment raised or gave no answer in time, a reward or potential is not a finite
                number, or what has to be true or false is neither.
        """
        if action.text is None:
            raise SpaceError("action.text", None, "a text environment needs a policy that speaks")
        turn = f"env.step, turn {len(self.said)} of the episode"
        answer = ask_environment(turn, self.env.step, action.text)
        go_on = partial(self._go_on, turn, action.text)
        return _later(turn, answer, go_on) if inspect.isawaitable(answer) else go_on(answer)

    def _go_on(self, turn: str, said: str, answer: object) -> StepResult | Pending[StepResult]:
        """Return what an answer of `env.step` comes to, once the environment is closed if the episode is over."""
        if not isinstance(answer, tuple) or len(answer) != 5:
            remedy = "return (observation, reward, terminated, truncated, info), as in Gymnasium"
            raise SpaceError("env.step", type(answer).__name__, remedy)
        observation, reward, terminated, truncated, info = answer
        reward = finite_reward(reward, turn)
        terminated, truncated = truth(terminated, f"{turn}, terminated"), truth(truncated, f"{turn}, truncated")
        potential = self.potential
        self.said.append(said)
        info = self._observe("env.step", observation, info)
        prompt = self._prompt(self.observations)
        has_room = self.fits is None or self.fits(prompt)
        truncated = truncated or ((len(self.said) == self.max_turns or not has_room) and not terminated)
        feedback = None
        if terminated or truncated:
            feedback = self._feedback(info)
            self.is_over = True
        seen = prompt if has_room else None
        result = StepResult(seen, reward, terminated, truncated, info, potential, feedback)
        return _close(self.env, result) if self.is_over else result

    def _observe(self, place: str, observation: Any, info: Any) -> dict[str, Any]:
        """Remember an observation and what was said of it, and return a copy of `info`."""
        if not isinstance(info, Mapping):
            raise SpaceError(f"{place}, info", type(info).__name__, "return a dictionary, as in Gymnasium")
        known: dict[str, Any] = ask_environment(f"{place}, info", dict, info)
        self.observations.append(self._check_observation(place, observation))
        potential = known.get("potential")
        self.potential = None if potential is None else finite_reward(potential, f"{place}, info['potential']")
        if comment := _words(known, "feedback"):
            self.comments.append(comment)
        return known

    def _check_observation(self, place: str, observation: Any) -> Observation:
        """Return a copy of an observation, as messages if the episode has messages."""
        if isinstance(observation, str):
            return [{"role": "user", "content": observation}] if self.chat else observation
        if not is_chat(observation):
            raise SpaceError(f"{place}, observation", observation, _SHAPES)
        if not self.chat:
            raise SpaceError(
                f"{place}, observation", observation, "gives messages, but gave text at its start; choose one"
            )
        return [dict(message) for message in observation]

    def _prompt(self, observations: Sequence[Observation]) -> Observation:
        """Return the prompt that shows the last observation, and those before it as far as `memory` goes."""
        turn = len(observations) - 1
        first = 0 if self.memory is None else max(0, turn - self.memory)
        past = list(zip(observations[first:turn], self.said[first:turn], strict=True))
        if not self.chat:
            return "".join(f"{observation}{said}\n" for observation, said in past) + observations[turn]
        messages = [message for message in observations[0] if message["role"] == "system"] if first else []
        for observation, said in past:
            messages += [*observation, {"role": "assistant", "content": said}]
        return messages + observations[turn]

    def _feedback(self, info: Mapping[str, Any]) -> Feedback:
        success = info.get("success")
        success = None if success is None else truth(success, "env.step, info['success']")
        return Feedback(
            rewards=_named_rewards(info) | ({} if success is None else {"success": float(success)}),
            success=success,
            text="\n".join(self.comments) or None,
            outcome=_words(info, "outcome"),
            achieved_prompts=None if success else self._achieved_prompts(),
            sources=("env",),
        )

    def _achieved_prompts(self) -> tuple[Observation, ...] | None:
        """Return the prompts as they would have read if what was achieved had been what was asked, (S,).

        Raises:
            RewardError: when the environment's `achieved` raised, or did not return one observation for each turn.
        """
        achieved = ask_environment("env.achieved", getattr, self.env, "achieved", None)
        if achieved is None:
            return None
        seen = copy.deepcopy(self.observations)  # the environment may change what it is given
        transitions = list(zip(seen[:-1], self.said, seen[1:], strict=True))
        answer = ask_environment("env.achieved", achieved, transitions)
        if answer is None:
            return None
        told = ask_environment("env.achieved", in_order, answer, len(self.said))
        if told is None or len(told) != len(self.said):
            what = shown(answer) if told is None else f"{len(told)} observations"
            raise RewardError("env.achieved", what, f"give one a turn: {len(self.said)}")
        observations = [self._check_observation("env.achieved", each) for each in told]
        return tuple(self._prompt(observations[: turn + 1]) for turn in range(len(observations)))


def _words(info: Mapping[str, Any], name: str) -> str | None:
    said = info.get(name)
    return None if said is None or said is False else ask_environment(f"env.step, info['{name}']", str, said)


def _named_rewards(info: Mapping[str, Any]) -> dict[str, float]:
    rewards = info.get("rewards")
    if rewards is None:
        return {}
    if not isinstance(rewards, Mapping):
        raise SpaceError("env.step, info['rewards']", type(rewards).__name__, "return numbers by name")
    return {str(name): finite_reward(value, f"env.step, info['rewards'][{name!r}]") for name, value in rewards.items()}


def first_observation(env: Any, seed: int, *, chat: bool = False) -> Observation:
    """Return the first prompt of an episode from `seed`. The environment is closed afterwards."""
    prompt = TextEpisode(env, seed, max_turns=1, chat=chat).reset()
    closed = _close(env, prompt.result() if isinstance(prompt, Pending) else prompt)
    return closed.result() if isinstance(closed, Pending) else closed


def _close(env: Any, result: _T) -> _T | Pending[_T]:
    """Close an environment that has a method for it, and return the result."""
    answer = ask_environment("env.close", lambda: env.close() if hasattr(env, "close") else None)
    return _later("env.close", answer, lambda _: result) if inspect.isawaitable(answer) else result


def _later(place: str, answer: Awaitable[object], go_on: Callable[[object], _T | Pending[_T]]) -> Pending[_T]:
    """Let an answer come in the event loop, and return what `go_on` makes of it once it is there."""
    future = _LOOP.start(answer)
    return Pending(lambda: go_on(ask_environment(place, _LOOP.wait, future)), future.cancel)


def _reset(env: Any, seed: int) -> Any:
    for name in ("reset", "step"):
        if not callable(ask_environment(f"env.{name}", getattr, env, name, None)):
            raise SpaceError("env", type(env).__name__, f"has no method {name}; write one, as in Gymnasium")
    try:
        inspect.signature(env.reset).bind(seed=seed)
    except TypeError as error:
        raise SpaceError("env.reset", error, "take the keyword argument seed") from error
    return ask_environment("env.reset", env.reset, seed=seed)
