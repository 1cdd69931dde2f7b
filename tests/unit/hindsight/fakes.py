"""A scorer that answers what a test tells it, attempts made by hand, and what a method makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backsight.estimators.advantages import discounted_returns, reinforce
from backsight.hindsight.base import Exchange, Hindsight, Told, number_attempts, spread_over_decisions
from backsight.hindsight.options import MethodOptions
from backsight.tasks.base import Item
from backsight.types import Action, ActionValue, AttemptKey, Example, Feedback, Group, Observation, Step, Trajectory

SUCCESS, FAILURE = Feedback(reward=1.0, success=True), Feedback(reward=0.0, success=False)
ITEM = Item("1", "asked", "gold")

# ------------------------------------------------------------------ attempts


def attempt(
    tokens: Sequence[int] = (7, 8),
    feedback: Feedback = Feedback(),  # noqa: B008
    *,
    prompt: Observation = "asked",
    text: str | None = "text",
    log_probs: Sequence[float] | None = None,
    start: Any = "start",
) -> Trajectory:
    """One completion; its log-probabilities are -0.1 each, if no others are given."""
    given = torch.full((len(tokens),), -0.1) if log_probs is None else torch.tensor(log_probs)
    return Trajectory(start, (Step(prompt, Action(tuple(tokens), given, text), terminated=True),), feedback)


def answer(said: str, success: bool, **feedback: str) -> Trajectory:
    """One completion of as many tokens as letters."""
    action = Action(tuple(range(len(said))), torch.zeros(len(said)) - 0.5, said)
    return Trajectory("start", (Step("ask", action, terminated=True),), Feedback(success=success, **feedback))


def dialogue(feedback: Feedback = FAILURE) -> Trajectory:
    """Two turns."""
    action = Action((1,), torch.zeros(1), "said")
    return Trajectory(ITEM, (Step("one", action), Step("two", action, terminated=True)), feedback)


def episode(
    observations: Sequence[Observation], rewards: Sequence[float], num_tokens: int = 1, feedback: Feedback = FAILURE
) -> Trajectory:
    """Steps in words, or in arrays with one choice each."""
    value = (5,) * num_tokens if isinstance(observations[0], str) else np.array([1])
    action = Action(value, torch.full((num_tokens,), -0.1), "move")
    steps = tuple(map(Step, observations, [action] * len(rewards), rewards))
    return Trajectory("start", steps, feedback)


def numbered_episode(
    actions: Sequence[int],
    rewards: Sequence[float],
    *,
    potentials: Sequence[float] | None = None,
    feedback: Feedback = Feedback(),  # noqa: B008
) -> Trajectory:
    """One decision a step; what is observed is the number of the step."""
    steps = [
        Step(
            np.array([float(number)], dtype=np.float32),
            Action(np.array([action]), torch.tensor([-0.7])),
            reward,
            terminated=number == len(actions) - 1,
            potential=None if potentials is None else potentials[number],
        )
        for number, (action, reward) in enumerate(zip(actions, rewards, strict=True))
    ]
    return Trajectory(0, tuple(steps), feedback)


EVEN = float(np.log(0.5))


def walk(states: Sequence[int], actions: Sequence[int], rewards: Sequence[float], num_states: int) -> Trajectory:
    """One-hot observations, and actions that a fair coin chose."""
    observations = np.eye(num_states, dtype=np.float32)[list(states)]
    steps = [
        Step(observation, Action(np.array([action]), torch.tensor([EVEN])), reward)
        for observation, action, reward in zip(observations, actions, rewards, strict=True)
    ]
    return Trajectory("start", tuple(steps), Feedback())


def conveyor() -> list[Trajectory]:
    """Action 1 takes the key at the first place, and an apple (0.3) at the next three; who has the key earns 1.

    All that a fair coin may do, each once, so that what is seen is what is expected.
    """
    return [
        walk(range(5), actions, [0.0, *(0.3 * each for each in actions[1:4]), float(actions[0])], 5)
        for actions in itertools.product((0, 1), repeat=5)
    ]


def group_of(*trajectories: Trajectory, start: Any = "start") -> Group:
    """Siblings, with the advantages of `FakeScorer`."""
    return FakeScorer().estimate([Group(start, trajectories)])[0]


RIGHT, WRONG = answer("yes", True), answer("no", False)
PAIR = Group("start", (RIGHT, WRONG), (torch.ones(3), -torch.ones(2)))

# ------------------------------------------------------------------ scorers

ROOM = 100
"""For a response, in decisions, behind any prompt."""


@dataclass
class FakeScorer:
    """Each answer can be replaced by a function. Without: a letter is a token, every log-probability is -0.5 (the
    teacher's -0.25, and it is trusted), samples say "sampled", nothing new is said of an attempt, and an advantage is
    the return less the mean of those in the group that somebody scored."""

    log_prob: Callable[[Exchange], Tensor] | None = None
    teacher_log_prob: Callable[[Exchange], Tensor] | None = None
    answer: Callable[[Observation], str] | None = None
    verdict: Callable[[Trajectory], Feedback] | None = None
    discount: float = 1.0
    trusts: bool = True

    def encode(self, text: str) -> ActionValue:
        return tuple(map(ord, text))

    def pieces(self, response: ActionValue) -> list[str]:
        return list(map(chr, response))

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        return response is None or len(response) <= ROOM

    def log_probs(self, exchanges: Sequence[Exchange], *, whole: bool = False) -> list[Tensor]:
        return [self.log_prob(each) if self.log_prob else _constant(each, -0.5) for each in exchanges]

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        score = self.teacher_log_prob
        return [score(each) if score else _constant(each, -0.25) for each in exchanges]

    def whole_log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        return [each.behaviour_log_probs for each in trajectories]

    def trusts_teacher(self, told: Told, groups: Sequence[Group]) -> bool:
        return self.trusts

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        texts = [self.answer(prompt) if self.answer else "sampled" for prompt in prompts]
        return [Action(self.encode(text), torch.full((len(text),), -0.5), text) for text in texts]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        return [each.with_feedback(self.verdict(each)) if self.verdict else each for each in trajectories]

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        return [replace(group, advantages=_centre(group)) for group in groups]


class Cramped(FakeScorer):
    """There is no room for anything that was revealed."""

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        return False


class ByStep(FakeScorer):
    """Advantages by `reinforce`, which tells the steps of an episode apart."""

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        estimated = reinforce([[discounted_returns(each.rewards, 1.0) for each in g.trajectories] for g in groups])
        return [Group(g.start, g.trajectories, own) for g, own in zip(groups, estimated, strict=True)]


def refuse(exchange: Exchange) -> Tensor:
    """Stand for somebody who is not to be asked."""
    raise AssertionError(exchange)


def _constant(exchange: Exchange, value: float) -> Tensor:
    return torch.full((sum(len(each) if isinstance(each, tuple) else 1 for each in exchange[1]),), value)


def _centre(group: Group) -> tuple[Tensor, ...]:
    returns = [sum(each.rewards) for each in group.scored]
    mean = sum(returns) / max(1, len(returns))
    return tuple(
        spread_over_decisions([sum(each.rewards) - mean if each.is_scored else 0.0] * len(each.steps), each)
        for each in group.trajectories
    )


# ------------------------------------------------------------------ what a method makes of groups

Method = MethodOptions | Hindsight[Any]
"""A method, or the options of one that is made for the occasion."""


def make_rows(method: Method, *groups: Group, scorer: FakeScorer | None = None) -> list[Example]:
    """What there is to learn from the groups of a step, as the trainer asks for it."""
    return _make(method).look_back(groups, scorer or FakeScorer()).examples


def change_groups(method: Method, *groups: Group, scorer: FakeScorer | None = None) -> list[Group]:
    """The groups as the method sees them, when it has learnt nothing of them before."""
    return list(_make(method).reconsider(groups, scorer or FakeScorer()).groups)


def give_credit(method: Method, group: Group, scorer: FakeScorer | None = None, num_fits: int = 1) -> list[list[float]]:
    """The advantages that the method gives to each attempt, after it has learnt of the group so many times."""
    before = [each.clone() for each in group.advantages]
    made, scorer = _make(method), scorer or FakeScorer()
    (group,) = number_attempts([group])
    for _ in range(num_fits):
        made.fit([group], scorer)
    (changed,) = made.reconsider([group], scorer).groups
    assert all(map(torch.equal, before, group.advantages))  # what was given is left alone
    return [each.tolist() for each in changed.advantages]


def keys_of(rows: Sequence[Example]) -> list[AttemptKey | None]:
    """Which attempt of which group each row is about."""
    return [None if each.trajectory is None else each.trajectory.key for each in rows]


def made_by(method: str, rows: Sequence[Example]) -> list[Example]:
    return [each for each in rows if each.method == method]


def values(tensor: Tensor | None) -> list[float]:
    """To five places."""
    assert tensor is not None
    return [round(value, 5) for value in tensor.tolist()]


def approx(rows: list[list[float]]) -> list[object]:
    return [pytest.approx(row, abs=1e-4) for row in rows]


def _make(method: Method) -> Hindsight[Any]:
    return method.build() if isinstance(method, MethodOptions) else method
