"""Text environments with Gymnasium's API: episodes of turns, each with a prompt and what the policy said to it.

An environment is any object with

    reset(seed=...)    -> (observation, info)
    step(action: str)  -> (observation, reward, terminated, truncated, info)

An observation is what is new: a text, or chat messages ``[{"role": ..., "content": ...}]``. What the policy sees is
made of all that was observed and said so far. Every turn is a step with a prompt and a response of its own, so nothing
but the tokens that the policy sampled is ever trained.

What an environment may tell in `info`, all of it optional:

    potential   a number: how good the state is that is observed now
    feedback    words about what just happened; those of all turns become the text of the episode's feedback
    rewards     numbers by name, of the episode so far; those of the last turn become its named rewards
    success     whether the episode reached what was asked; the last turn counts
    outcome     what came of it in the world, in words; the last turn counts

An environment with a method ``achieved(transitions)`` is asked about an episode that did not succeed. Given (S,)
triples of an observation, what was said to it and the next observation, it answers with the (S,) observations as they
would have read, had what was achieved been what was asked, or with None.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backsight.environments.base import StepResult
from backsight.errors import RewardError, SpaceError
from backsight.feedback.environment import FEEDBACK, POTENTIAL, finite_reward
from backsight.types import Action, Feedback, Observation, is_chat

_SHAPES = "give text, or a list of messages with 'role' and 'content'"


class TextEpisode:
    """One episode of a text environment. When it is over, its `Feedback` lies in the `info` of the last step.

    The prompt of a turn is a text: earlier observations and completions as they stood, with a line break after each
    completion, and the newest observation, which should end with the cue to act. It is a list of messages instead when
    the environment gives messages at its start, or when `chat` asks for them: then the environment speaks as the user
    and the policy as the assistant.

    Args:
        env: a fresh environment; it is closed when the episode is over, if it can be.
        seed: where the episode starts.
        max_turns: at so many, the episode is truncated.
        memory: turns before the newest observation that the policy sees; None: all, 0: none. Messages of the system at
            the start are always seen. Methods that compare steps by what was observed (GiGPO, GraphHCA) need 0.
        chat: whether observations in text become messages.
        fits: whether a prompt leaves room for a completion; an episode whose next one does not is truncated.
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

    def reset(self) -> Observation:
        """Raises `SpaceError` when the environment does not answer as Gymnasium's do, in text or messages."""
        answer = _reset(self.env, self.seed)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise SpaceError("env.reset", type(answer).__name__, "return (observation, info), as in Gymnasium")
        observation, info = answer
        self.chat = self.chat or isinstance(observation, list)
        self._observe("env.reset", observation, info)
        return self._prompt(self.observations)

    def step(self, action: Action) -> StepResult:
        """Raises `SpaceError` as `reset` does, and `RewardError` when a reward or potential is not a finite number."""
        if action.text is None:
            raise SpaceError("action.text", None, "a text environment needs a policy that speaks")
        answer = self.env.step(action.text)
        if not isinstance(answer, tuple) or len(answer) != 5:
            remedy = "return (observation, reward, terminated, truncated, info), as in Gymnasium"
            raise SpaceError("env.step", type(answer).__name__, remedy)
        observation, reward, terminated, truncated, info = answer
        reward = finite_reward(reward, f"env.step, turn {len(self.said)} of the episode")
        before = {} if self.potential is None else {POTENTIAL: self.potential}
        self.said.append(action.text)
        self._observe("env.step", observation, info)
        prompt = self._prompt(self.observations)
        is_cut = len(self.said) == self.max_turns or not (self.fits is None or self.fits(prompt))
        truncated = bool(truncated) or (is_cut and not terminated)
        info = {**info, **before}
        if terminated or truncated:
            info[FEEDBACK] = self._feedback(info)
            close(self.env)
        return StepResult(prompt, reward, bool(terminated), truncated, info)

    def _observe(self, place: str, observation: Any, info: Any) -> None:
        if not isinstance(info, Mapping):
            raise SpaceError(f"{place}, info", type(info).__name__, "return a dictionary, as in Gymnasium")
        self.observations.append(self._taken(place, observation))
        potential = info.get("potential")
        self.potential = None if potential is None else finite_reward(potential, f"{place}, info['potential']")
        if comment := info.get("feedback"):
            self.comments.append(str(comment))

    def _taken(self, place: str, observation: Any) -> Observation:
        """A copy of it, in messages where those are spoken."""
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
        """What the policy sees of the last observation and of those before it."""
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
        success = None if info.get("success") is None else bool(info["success"])
        return Feedback(
            rewards=_named_rewards(info) | ({} if success is None else {"success": float(success)}),
            success=success,
            text="\n".join(self.comments) or None,
            outcome=None if info.get("outcome") is None else str(info["outcome"]),
            achieved_goal=None if success else self._achieved(),
            sources=("env",),
        )

    def _achieved(self) -> tuple[Observation, ...] | None:
        """(S,) the prompts as they would have read.

        Raises:
            RewardError: the environment's `achieved` raised, or did not answer with an observation a turn.
        """
        achieved = getattr(self.env, "achieved", None)
        if achieved is None:
            return None
        try:
            answer = achieved(list(zip(self.observations[:-1], self.said, self.observations[1:], strict=True)))
        except Exception as error:  # an environment may be anybody's code
            raise RewardError(
                "env.achieved", f"raised {type(error).__name__}: {error}", "mend the environment"
            ) from error
        if answer is None:
            return None
        if len(answer) != len(self.said):
            raise RewardError("env.achieved", f"{len(answer)} observations", f"give one a turn: {len(self.said)}")
        observations = [self._taken("env.achieved", each) for each in answer]
        return tuple(self._prompt(observations[: turn + 1]) for turn in range(len(observations)))


def _named_rewards(info: Mapping[str, Any]) -> dict[str, float]:
    rewards = info.get("rewards")
    if rewards is None:
        return {}
    if not isinstance(rewards, Mapping):
        raise SpaceError("env.step, info['rewards']", type(rewards).__name__, "return numbers by name")
    return {str(name): finite_reward(value, f"env.step, info['rewards'][{name!r}]") for name, value in rewards.items()}


def first_observation(env: Any, seed: int, *, chat: bool = False) -> Observation:
    """What the policy sees first in an episode from `seed`. The environment is used up by it."""
    observation = TextEpisode(env, seed, max_turns=1, chat=chat).reset()
    close(env)
    return observation


def close(env: Any) -> None:
    if hasattr(env, "close"):
        env.close()


def _reset(env: Any, seed: int) -> Any:
    for name in ("reset", "step"):
        if not callable(getattr(env, name, None)):
            raise SpaceError("env", type(env).__name__, f"has no method {name}; write one, as in Gymnasium")
    try:
        inspect.signature(env.reset).bind(seed=seed)
    except TypeError as error:
        raise SpaceError("env.reset", error, "take the keyword argument seed") from error
    return env.reset(seed=seed)
