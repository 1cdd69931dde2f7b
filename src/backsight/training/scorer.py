"""What hindsight methods may ask, answered by policy, teacher, engine and source of feedback of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from backsight.errors import DataError, ModelError
from backsight.estimators.returns import discounted_returns
from backsight.feedback.pool import FeedbackPool
from backsight.hindsight.base import Exchange, per_decision
from backsight.policies.base import Policy
from backsight.rollouts.engine import Engine
from backsight.seeds import derived_seed
from backsight.training.algorithms import ALGORITHMS
from backsight.training.anchors import ask
from backsight.training.config import TrainingConfig
from backsight.training.critic import Critic
from backsight.training.teacher import Scoring, Teacher
from backsight.training.update import Workbench
from backsight.types import Action, ActionValue, Example, Group, Observation, Trajectory, Wanted


class RunScorer:
    """Implements `backsight.hindsight.base.Scorer`."""

    def __init__(
        self,
        policy: Policy,
        teacher: Teacher | None,
        engine: Engine,
        pool: FeedbackPool,
        config: TrainingConfig,
        bench: Workbench,
    ) -> None:
        self.policy, self.teacher, self.engine, self.pool = policy, teacher, engine, pool
        self.config, self.bench = config, bench
        self.estimator = ALGORITHMS[config.algorithm].estimator
        self.critic = Critic(policy, config) if self.estimator is None else None
        self.extra_attempts = 0
        """Actions sampled for hindsight since `begin`."""
        self._seed = 0
        self._questions = 0

    def begin(self, step: int) -> None:
        """A new step: what is drawn from now on depends on it alone."""
        self._seed, self._questions, self.extra_attempts = derived_seed(self.config.seed, "look back", step), 0, 0

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
        return self.act(self.policy, prompts)

    def act(self, policy: Policy, prompts: Sequence[Observation]) -> list[Action]:
        """One action of any policy for each prompt."""
        seed = self._next_seed()
        seeds = [derived_seed(seed, number) for number in range(len(prompts))]
        actions = dict(self.engine.acting_as(policy).act(prompts, self.config.sampling, seeds))
        return [actions[index] for index in range(len(prompts))]

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        groups = enumerate(Group(each.start, (each,)) for each in trajectories)
        answers = self.pool.answers(self.pool.ask(groups, len(trajectories), self._next_seed()))
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
        """The step is over: what it has shown is learnt."""
        if self.critic is not None:
            self.critic.learn()

    def _log_probs(self, policy: Scoring, exchanges: Sequence[Exchange]) -> list[Tensor]:
        rows = [_row(*exchange) for exchange in exchanges]
        answers = ask(policy, rows, self.config.sampling, self.bench.micro_batch_size, self.bench.profile, Wanted())
        scores = {index: decisions.log_probs_N for index, decisions in answers}
        if not all(math.isfinite(each.sum()) for each in scores.values()):
            raise ModelError("model", "its outputs are no longer finite", "lower learning_rate")
        return [scores[index] for index in range(len(rows))]

    def _next_seed(self) -> int:
        self._questions += 1
        return derived_seed(self._seed, self._questions)


def _row(prompts: tuple[Observation, ...], responses: tuple[ActionValue, ...]) -> Example:
    count = sum(len(each) if isinstance(each, tuple) else 1 for each in responses)
    return Example(prompts, responses, method="scored", imitation_weights=torch.ones(count))


def _each_decision(group: Group, advantages: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(
        per_decision(advantages_S, each) for each, advantages_S in zip(group.trajectories, advantages, strict=True)
    )
