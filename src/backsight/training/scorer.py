"""The answers to what hindsight methods may ask: `RunScorer` uses the policy, teacher, engine and feedback of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.errors import DataError, ModelError
from backsight.estimators.advantages import ESTIMATORS, discounted_returns
from backsight.feedback.pool import FeedbackPool
from backsight.hindsight.base import Exchange, spread_over_decisions
from backsight.policies.base import Policy
from backsight.rollouts.base import Engine, acting_as
from backsight.seeds import derive_seed
from backsight.training.algorithms import ALGORITHMS, CRITIC
from backsight.training.config import TrainingConfig
from backsight.training.critic import Critic
from backsight.training.frozen_scores import Scoring, score_in_batches
from backsight.training.teacher import Teacher
from backsight.training.update import UpdateState
from backsight.types import Action, ActionValue, Example, Group, Observation, ScoreRequest, Trajectory


class RunScorer:
    """The scorer of a run, which implements `backsight.hindsight.base.Scorer`."""

    def __init__(
        self,
        policy: Policy,
        teacher: Teacher | None,
        engine: Engine,
        pool: FeedbackPool,
        config: TrainingConfig,
        update_state: UpdateState,
    ) -> None:
        self.policy, self.teacher, self.engine, self.pool = policy, teacher, engine, pool
        self.config, self.update_state = config, update_state
        estimator = ALGORITHMS[config.algorithm].estimator
        self.critic = Critic(policy, config) if estimator == CRITIC else None
        self.estimator = ESTIMATORS.get(estimator)
        self.extra_attempts = 0
        """Number of actions sampled for hindsight since `begin`."""
        self._seed = 0
        self._questions = 0

    def begin(self, step: int) -> None:
        """Begin a step: what is drawn from now on depends on the run's seed and the step alone."""
        self._seed, self._questions, self.extra_attempts = derive_seed(self.config.seed, "look back", step), 0, 0

    def encode(self, text: str) -> ActionValue:
        return self.policy.encode(text)

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        length = len(response) if isinstance(response, tuple) else self.config.max_completion_length
        try:
            for prompt in prompts:
                self.policy.check_prompt(prompt, length)
        except DataError:
            return False
        return True

    def log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        return self._log_probs(self.policy, exchanges)

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        assert self.teacher is not None, "the method says needs_teacher=False"
        return self._log_probs(self.teacher.scoring, exchanges)

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        self.extra_attempts += len(prompts)
        return self.act(self.policy, prompts, "a method that samples while it looks back")

    def act(self, policy: Policy, prompts: Sequence[Observation], purpose: str) -> list[Action]:
        """Return one action of any policy for each prompt.

        Raises:
            ConfigError: when the engine cannot act as another policy; the message names `purpose`.
        """
        seed = self._next_seed()
        seeds = [derive_seed(seed, number) for number in range(len(prompts))]
        actions = dict(acting_as(self.engine, policy, purpose).act(prompts, self.config.sampling, seeds))
        return [actions[index] for index in range(len(prompts))]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        groups = enumerate(Group(each.start, (each,)) for each in trajectories)
        answers = self.pool.wait(self.pool.submit(groups, len(trajectories), self._next_seed()))
        return [group.trajectories[0] for group in answers]

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        if self.critic is not None:
            return self.critic.estimate(groups)
        assert self.estimator is not None
        known = [group for group in groups if group.trajectories]
        returns = [
            [discounted_returns(each.rewards, self.config.discount) for each in group.trajectories] for group in known
        ]
        estimated = iter(self.estimator(returns) if known else ())
        return [
            replace(group, advantages=_each_decision(group, next(estimated))) if group.trajectories else group
            for group in groups
        ]

    def finish(self) -> None:
        """End the step: let the critic, if there is one, learn from it."""
        if self.critic is not None:
            self.critic.learn()

    def _log_probs(self, policy: Scoring, exchanges: Sequence[Exchange]) -> list[Tensor]:
        rows = [_row(*exchange) for exchange in exchanges]
        size, profile = self.update_state.micro_batch_size, self.update_state.profile
        answers = score_in_batches(policy, rows, self.config.sampling, size, profile, ScoreRequest())
        scores = {index: decisions.log_probs_N for index, decisions in answers}
        if not all(math.isfinite(each.sum()) for each in scores.values()):
            raise ModelError("model", "its outputs are no longer finite", "lower learning_rate")
        return [scores[index] for index in range(len(rows))]

    def _next_seed(self) -> int:
        self._questions += 1
        return derive_seed(self._seed, self._questions)


def _row(prompts: tuple[Observation, ...], responses: tuple[ActionValue, ...]) -> Example:
    count = sum(len(each) if isinstance(each, tuple) else 1 for each in responses)
    return Example(prompts, responses, method="scored", imitation_weights=torch.ones(count))


def _each_decision(group: Group, advantages: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(
        spread_over_decisions(advantages_S, each)
        for each, advantages_S in zip(group.trajectories, advantages, strict=True)
    )
