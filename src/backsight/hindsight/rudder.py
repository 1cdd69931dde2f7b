"""`rudder`: a learnt prediction of the return says which step, or which token, earned it.

Place: the reward. Revealed: the return of the whole episode, which a predictor g learns to see coming. Source: RUDDER
(Arjona-Medina 2018, arXiv:1806.07857): reward redistribution by differences of return predictions.

    r'_t = g(τ_0:t) - g(τ_0:t-1) + (R - g(τ))/U,     g(nothing) = 0,     Σ_t r'_t = R        g (U,), U units

The units are steps, and the new rewards go to the run's estimator. Where all episodes are one completion, they are the
tokens, which no estimator knows one by one; then the advantages are what is still to go, against the siblings:

    A_t = Σ_{k>=t} r'_k - mean over siblings of the same, those that have ended counting 0                    A (T,)

That is (1 - t/T)·R + (t/T)·g(τ) - g(τ_0:t-1), less the mean: a baseline for every token. Where all siblings failed,
those that looked promising are still told apart where they went wrong; a sibling alone learns nothing.

Before `first_lessons` episodes are known, rewards stay as they were paid: what g says then is mostly noise of its own
weights, which would be reinforced (the paper waits for a prediction of some quality).

Simpler than the paper: the lessons are the newest episodes, drawn evenly, where it draws those first that are predicted
worst; contributions are differences of predictions alone; and the model of a language model's episodes reads the last
`OBSERVED_TOKENS` tokens of every observation.

When not to use it: where rewards come at once; with fewer than some hundred episodes, since g has to learn first; with
`discount` below 1, as Σ r' = R holds undiscounted; or, in episodes of several steps, with estimators that credit each
step with the whole return (rloo, grpo, dr_grpo), for which nothing changes: take `algorithm=reinforce` or `ppo`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.return_model import Lesson, ReturnModel
from backsight.types import ActionValue, Begun, Group, Observation, Trajectory

OBSERVED_TOKENS = 128
CHOICES = 32
"""A discrete action is told as one of so many; beyond them, actions share a place."""


class Rudder(Hindsight):
    """Pay a reward where it could be seen coming."""

    def __init__(
        self,
        lessons: int = 256,
        first_lessons: int = 32,
        updates: int = 20,
        learning_rate: float = 3e-3,
        hidden_size: int = 32,
    ) -> None:
        self.first_lessons = first_lessons
        self.model = ReturnModel(lessons, updates, learning_rate, hidden_size)

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        self.model.fit(_lessons(groups, scorer))

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        lessons = _lessons(groups, scorer)
        if not lessons or len(self.model.lessons) < self.first_lessons:
            return groups
        predicted = self.model.predict(lessons)
        rewards = iter(map(redistributed, predicted, [lesson.total for lesson in lessons]))
        by_group = [[next(rewards) for _ in group.trajectories] for group in groups]
        if _is_by_token(groups):
            return [
                replace(group, advantages=_against_siblings(rewards_U))
                for group, rewards_U in zip(groups, by_group, strict=True)
            ]
        return scorer.estimate([_repaid(group, each) for group, each in zip(groups, by_group, strict=True)])

    def state(self) -> Mapping[str, Tensor]:
        return self.model.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.model.load_state(state)


def redistributed(predicted_U: Tensor, total: float) -> Tensor:
    """(U,) the new rewards; their sum is `total`, whatever was predicted."""
    changes_U = predicted_U.diff(prepend=predicted_U.new_zeros(1))
    return changes_U + (total - predicted_U[-1]) / len(predicted_U)


def _against_siblings(rewards: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if not rewards:
        return ()
    to_go = [rewards_U.flip(0).cumsum(0).flip(0).float() for rewards_U in rewards]
    baseline_U = pad_sequence(to_go, batch_first=True).mean(0)
    return tuple(to_go_U - baseline_U[: len(to_go_U)] for to_go_U in to_go)


def _repaid(group: Group, rewards: Sequence[Tensor]) -> Group:
    """The group with new rewards a step. What counts for the whole episode stays, and is taken off the last step."""
    trajectories = []
    for trajectory, rewards_S in zip(group.trajectories, rewards, strict=True):
        step_rewards = rewards_S.tolist()
        step_rewards[-1] -= trajectory.feedback.reward or 0.0
        trajectories.append(trajectory.revealed(replace(trajectory.feedback, step_rewards=tuple(step_rewards))))
    return replace(group, trajectories=tuple(trajectories))


def _is_by_token(groups: Sequence[Group]) -> bool:
    return all(
        len(each.steps) == 1 and isinstance(each.responses[0], tuple) for group in groups for each in group.trajectories
    )


def _lessons(groups: Sequence[Group], scorer: Scorer) -> list[Lesson]:
    by_token = _is_by_token(groups)
    return [_lesson(trajectory, scorer, by_token) for group in groups for trajectory in group.trajectories]


def _lesson(trajectory: Trajectory, scorer: Scorer, by_token: bool) -> Lesson:
    total = sum(trajectory.rewards)
    if not isinstance(trajectory.responses[0], tuple):
        numbers = [_numbers(*step) for step in zip(trajectory.prompts, trajectory.responses, strict=True)]
        return Lesson(torch.from_numpy(np.stack(numbers)), torch.arange(len(numbers)), total)
    observed = [_tokens(prompt, scorer)[-OBSERVED_TOKENS:] for prompt in trajectory.prompts]
    parts = list(zip(observed, trajectory.responses, strict=True))
    tokens = torch.tensor([token for seen, done in parts for token in (*seen, *done)])
    if by_token:
        return Lesson(tokens, torch.arange(len(observed[0]), len(tokens)), total)
    ends = accumulate(len(seen) + len(done) for seen, done in parts)
    return Lesson(tokens, torch.tensor([end - 1 for end in ends]), total)


def _tokens(observation: Observation, scorer: Scorer) -> tuple[int, ...]:
    if isinstance(observation, Begun):
        return (*_tokens(observation.prompt, scorer), *observation.tokens)
    text = observation if isinstance(observation, str) else "\n".join(each["content"] for each in observation)
    return tuple(scorer.encode(text))


def _numbers(observation: Observation, action: ActionValue) -> NDArray[np.float32]:
    """(D,) what was seen and what was done, discrete choices as one-hot parts."""
    done_A = np.asarray(action).reshape(-1)
    if np.issubdtype(done_A.dtype, np.integer):
        done_A = np.eye(CHOICES, dtype=np.float32)[done_A % CHOICES].reshape(-1)
    return np.concatenate([np.asarray(observation).reshape(-1), done_A]).astype(np.float32)
