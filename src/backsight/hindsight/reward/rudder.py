"""`rudder`: a learnt prediction of the return says which step, or which token, earned it.

Place: the reward.
Revealed: the return of the whole episode, which a predictor g learns to foresee.
Source: RUDDER (Arjona-Medina 2018, arXiv:1806.07857): reward redistribution by differences of return predictions.
Loss: that of the run's algorithm, on the rewards

    r'_t = g(τ_0:t) - g(τ_0:t-1) + (R - g(τ))/U,     g(nothing) = 0,     Σ_t r'_t = R        g (U,), U units

R is the return of the episode τ, τ_0:t are its units 0 to t, and r'_t is the new reward of unit t. The units are steps,
and the new rewards go to the run's estimator. Where all episodes are one completion, the units are its T tokens, and no
estimator takes rewards of single tokens. Then the advantages A_t are what is still to be earned, compared with the
siblings:

    A_t = Σ_{k>=t} r'_k - mean over siblings of the same, those that have ended counting 0                    A (T,)

That is (1 - t/T)·R + (t/T)·g(τ) - g(τ_0:t-1), less the mean: a baseline for every token. Where all siblings failed, the
advantages still show where those that looked promising went wrong; an attempt without siblings learns nothing.

Before `first_lessons` episodes are known, rewards stay as they were paid: the predictions of g are then mostly noise of
its own weights, which would be reinforced (the paper waits for a prediction of some quality).

Simpler than the paper: the lessons are drawn evenly from the newest episodes, where the paper first draws those that
are predicted worst; contributions are differences of predictions alone; and the model of a language model's episodes
reads the last `OBSERVED_TOKENS` tokens of every observation.

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

from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.reward.options import RudderOptions
from backsight.hindsight.reward.return_model import Lesson, ReturnModel
from backsight.rounding import EQUAL
from backsight.types import ActionValue, Group, Observation, PartialCompletion, Trajectory

OBSERVED_TOKENS = 128
"""Number of tokens at the end of an observation that the predictor reads."""
CHOICES = 32
"""Length of the one-hot vector of a discrete action; actions beyond it share its places."""


class Rudder(Hindsight[RudderOptions]):
    """Method that pays the reward where the prediction of the return changes."""

    needs_scores = True

    def __init__(self, options: RudderOptions) -> None:
        super().__init__(options)
        self.model = ReturnModel(options.lessons, options.updates, options.learning_rate, options.hidden_size)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with rewards by the predictor as it was before it saw these episodes, which it learns then.

        A predictor that knew them would find in each step whatever the episode happened to earn.
        """
        lessons = _lessons(groups, scorer)
        knows_enough = len(self.model.lessons) >= self.options.first_lessons
        predicted = self.model.predict(lessons) if lessons and knows_enough else []
        self.model.fit(lessons)
        if not predicted:
            return LookBack(groups, [])
        rewards = iter(map(redistribute, predicted, [lesson.total for lesson in lessons]))
        pairs = [(group, [next(rewards) for _ in group.trajectories]) for group in groups]
        if _is_by_token(groups):
            return LookBack([replace(group, advantages=_against_siblings(own)) for group, own in pairs], [])
        return LookBack(scorer.estimate([_pay_anew(group, own) for group, own in pairs]), [])

    def state(self) -> Mapping[str, Tensor]:
        return self.model.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.model.load_state(state)


def redistribute(predicted_U: Tensor, total: float) -> Tensor:
    """Return the new rewards of the units, (U,); their sum is `total`, whatever was predicted."""
    changes_U = predicted_U.diff(prepend=predicted_U.new_zeros(1))
    return changes_U + (total - predicted_U[-1]) / len(predicted_U)


def _against_siblings(rewards: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if not rewards:
        return ()
    to_go = [rewards_U.flip(0).cumsum(0).flip(0) for rewards_U in rewards]
    padded_GU = pad_sequence(to_go, batch_first=True)
    rounding_U = EQUAL * padded_GU.abs().amax(0)
    above_GU = padded_GU - padded_GU.mean(0)
    above_GU = above_GU.where(above_GU.abs() > rounding_U, 0.0).float()
    return tuple(above_U[: len(to_go_U)] for above_U, to_go_U in zip(above_GU, to_go, strict=True))


def _pay_anew(group: Group, rewards: Sequence[Tensor]) -> Group:
    """Return the group with new rewards of its steps.

    The reward of the whole episode stays in the feedback, so it is taken off the last step, where it counts again.
    """
    trajectories = []
    for trajectory, rewards_S in zip(group.trajectories, rewards, strict=True):
        step_rewards = rewards_S.tolist()
        step_rewards[-1] -= trajectory.feedback.reward or 0.0
        trajectories.append(trajectory.with_feedback(replace(trajectory.feedback, step_rewards=tuple(step_rewards))))
    return replace(group, trajectories=tuple(trajectories))


def _is_by_token(groups: Sequence[Group]) -> bool:
    return all(
        len(each.steps) == 1 and isinstance(each.responses[0], tuple) for group in groups for each in group.trajectories
    )


def _lessons(groups: Sequence[Group], scorer: Scorer) -> list[Lesson]:
    by_token = _is_by_token(groups)
    return [_lesson(trajectory, scorer, by_token) for group in groups for trajectory in group.trajectories]


def _lesson(trajectory: Trajectory, scorer: Scorer, by_token: bool) -> Lesson:
    total = trajectory.total_reward
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
    if isinstance(observation, PartialCompletion):
        return (*_tokens(observation.prompt, scorer), *observation.tokens)
    text = observation if isinstance(observation, str) else "\n".join(each["content"] for each in observation)
    return tuple(scorer.encode(text))


def _numbers(observation: Observation, action: ActionValue) -> NDArray[np.float32]:
    """Return what was observed and done as D numbers, (D,); discrete actions become one-hot vectors."""
    done_A = np.asarray(action).reshape(-1)
    if np.issubdtype(done_A.dtype, np.integer):
        done_A = np.eye(CHOICES, dtype=np.float32)[done_A % CHOICES].reshape(-1)
    return np.concatenate([np.asarray(observation).reshape(-1), done_A]).astype(np.float32)
