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
from backsight.hindsight.base import Exchange, Told, spread_over_decisions
from backsight.policies.base import Policy
from backsight.policies.text import begun_tokens
from backsight.rollouts.base import Engine, acting_as
from backsight.seeds import derive_seed
from backsight.training.algorithms import ALGORITHMS, CRITIC
from backsight.training.config import TrainingConfig
from backsight.training.critic import Critic
from backsight.training.frozen_scores import Scoring, score_in_batches
from backsight.training.progress import Progress
from backsight.training.teacher import Teacher, TeacherTrials, TrialResult
from backsight.training.update import UpdateState
from backsight.types import (
    Action,
    ActionValue,
    AttemptKey,
    Example,
    Feedback,
    Group,
    Observation,
    Sampling,
    ScoreRequest,
    Trajectory,
)


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
        reference: Policy | None = None,
    ) -> None:
        """Answer by these parts of a run. `reference` is needed with `kl_estimator="k1_reward"`."""
        self.policy, self.teacher, self.engine, self.pool = policy, teacher, engine, pool
        self.reference = reference if config.kl_estimator == "k1_reward" else None
        self.config, self.update_state, self.ranks = config, update_state, update_state.ranks
        self.critic = Critic(policy, config, self.ranks) if config.estimator == CRITIC else None
        self.estimator = ESTIMATORS.get(config.estimator)
        self.compares_siblings = ALGORITHMS[config.algorithm].compares_siblings
        self.extra_attempts = 0
        """Number of actions sampled for hindsight since `begin`."""
        self.trial: TrialResult | None = None
        """Result of the newest trials of the teacher, if it was asked for since `begin`."""
        self._seed = self._questions = 0
        self._progress = Progress()
        self._was_tried = False
        self._drift: dict[AttemptKey, Tensor] = {}
        """β·log(π/π_ref) of each step of an attempt, (S,)."""

    @property
    def discount(self) -> float:
        return self.config.discount

    def begin(self, progress: Progress) -> None:
        """Begin a step: what is drawn from now on depends on the run's seed and the step alone.

        Trials of the teacher are added to those in `progress`.
        """
        self._seed, self._questions = derive_seed(self.config.seed, "look back", progress.step), 0
        self._progress, self._was_tried, self.trial, self.extra_attempts = progress, False, None, 0
        if self.teacher is not None:
            self.teacher.begin(progress.step)

    def begin_round(self) -> None:
        """Begin a round of the step: its attempts have keys of their own, which those of another round had as well."""
        self._drift.clear()

    def encode(self, text: str) -> ActionValue:
        return self.policy.encode(text)

    def pieces(self, response: ActionValue) -> list[str]:
        return self.policy.pieces(response)

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        try:
            for prompt in prompts:
                length = self.config.max_completion_length
                if isinstance(response, tuple):
                    length = len(begun_tokens(prompt)) + len(response)
                self.policy.check_prompt(prompt, length)
        except DataError:
            return False
        return True

    def log_probs(self, exchanges: Sequence[Exchange], *, whole: bool = False) -> list[Tensor]:
        return self._log_probs(self.policy, exchanges, self.config.sampling.whole if whole else self.config.sampling)

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        assert self.teacher is not None, "the method says needs_teacher=False"
        return self._log_probs(self.teacher.scoring, exchanges, self.config.sampling.whole)

    def whole_log_probs(self, trajectories: Sequence[Trajectory]) -> list[Tensor]:
        if not self.config.sampling.is_truncated:
            return [each.behaviour_log_probs for each in trajectories]
        return self.log_probs([(each.prompts, each.responses) for each in trajectories], whole=True)

    def trusts_teacher(self, told: Told, groups: Sequence[Group]) -> bool:
        teacher = self.teacher
        if teacher is not None and not self._was_tried:

            def act(prompts: Sequence[Observation]) -> list[Action]:
                return self.act(teacher.copy, prompts, "a trial of the teacher")

            trials = TeacherTrials(self.config.teacher, act, self.judge)
            self.trial = trials.result(self._progress.teacher_trials, self._progress.step, told, groups)
            self._was_tried = True
        return self.trial is None or self.trial.is_better

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        self.extra_attempts += len(prompts)
        return self.act(self.policy, prompts, "a method that samples while it looks back")

    def act(self, policy: Policy, prompts: Sequence[Observation], purpose: str) -> list[Action]:
        """Return one action of any policy for each prompt.

        Raises:
            ConfigError: when the engine cannot act as another policy; the message names `purpose`.
        """
        seed = self._next_seed()
        engine = acting_as(self.engine, policy, purpose)

        def act(numbers: Sequence[int]) -> list[Action]:
            asked, seeds = [prompts[number] for number in numbers], [derive_seed(seed, number) for number in numbers]
            actions = dict(engine.act(asked, self.config.sampling, seeds))
            return [actions[place] for place in range(len(asked))]

        return self.ranks.share(range(len(prompts)), act)

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        seed = self._next_seed()

        def judge(numbers: Sequence[int]) -> list[Feedback]:
            groups = [(number, Group(trajectories[number].start, (trajectories[number],))) for number in numbers]
            answers = self.pool.wait(self.pool.submit(groups, len(groups), seed, self._progress.step))
            return [group.trajectories[0].feedback for group in answers]

        said = self.ranks.share(range(len(trajectories)), judge)
        return [each.with_feedback(feedback) for each, feedback in zip(trajectories, said, strict=True)]

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        estimated = self._estimate(groups if self.reference is None else self._penalise(groups, self.reference))
        return [replace(group, advantages=known.advantages) for group, known in zip(groups, estimated, strict=True)]

    def _penalise(self, groups: Sequence[Group], reference: Policy) -> list[Group]:
        """Take β·log(π/π_ref) off the rewards of each step of the attempts of this training step.

        π is computed as π_ref is, and not taken from the sampler: an estimator would divide the rounding between the
        two by itself where all rewards are equal.
        """
        made = [each for group in groups for each in group.scored if each.key is not None]
        new = {each.key: each for each in made if each.key is not None and each.key not in self._drift}
        exchanges = [(each.prompts, each.responses) for each in new.values()]
        own, references = (
            self._log_probs(each, exchanges, self.config.sampling) if new else [] for each in (self.policy, reference)
        )
        for (key, attempt), own_T, reference_T in zip(new.items(), own, references, strict=True):
            log_ratio_T = own_T - reference_T
            lengths = [len(step.action.log_probs) for step in attempt.steps]
            self._drift[key] = self.config.beta * torch.stack(
                [each.sum() for each in torch.split(log_ratio_T, lengths)]
            )
        return [replace(group, trajectories=tuple(map(self._penalised, group.trajectories))) for group in groups]

    def _penalised(self, attempt: Trajectory) -> Trajectory:
        if attempt.key is None or attempt.key not in self._drift:
            return attempt
        pairs = zip(attempt.rewards, self._drift[attempt.key].tolist(), strict=True)
        rewards = tuple(reward - drift for reward, drift in pairs)
        return attempt.with_feedback(replace(attempt.feedback, reward=None, step_rewards=rewards))

    def _estimate(self, groups: Sequence[Group]) -> list[Group]:
        if self.critic is not None:
            return self.critic.estimate(groups)
        assert self.estimator is not None
        compared = [_compared(group, self.compares_siblings) for group in groups]
        known = [own for own in compared if own]
        returns = [[discounted_returns(each.rewards, self.config.discount) for each in own] for own in known]
        estimated = iter(self.estimator(returns) if known else ())
        return [
            replace(group, advantages=_each_decision(group, next(estimated) if own else ()))
            for group, own in zip(groups, compared, strict=True)
        ]

    def finish(self) -> None:
        """End the round: let the critic, if there is one, learn from it."""
        if self.critic is not None:
            self.critic.learn()

    def _log_probs(self, policy: Scoring, exchanges: Sequence[Exchange], sampling: Sampling) -> list[Tensor]:
        rows = [_row(*exchange) for exchange in exchanges]
        size, profile = self.update_state.micro_batch_size, self.update_state.profile

        def score(own: Sequence[Example]) -> list[Tensor]:
            scores = dict(score_in_batches(policy, own, sampling, size, profile, ScoreRequest()))
            return [scores[index].log_probs_N for index in range(len(own))]

        scores = self.ranks.share(rows, score)
        if not all(math.isfinite(each.sum()) for each in scores):
            raise ModelError("model", "its outputs are no longer finite", "lower learning_rate")
        return scores

    def _next_seed(self) -> int:
        self._questions += 1
        return derive_seed(self._seed, self._questions)


def _row(prompts: tuple[Observation, ...], responses: tuple[ActionValue, ...]) -> Example:
    count = sum(len(each) if isinstance(each, tuple) else 1 for each in responses)
    return Example(prompts, responses, method="scored", imitation_weights=torch.ones(count))


def _compared(group: Group, with_siblings: bool) -> tuple[Trajectory, ...]:
    """Return the attempts of a group that have something to be compared with: those that somebody scored, and among
    siblings at least two."""
    scored = group.scored
    is_alone = with_siblings and len(scored) < min(2, len(group.trajectories))
    return () if is_alone else scored


def _each_decision(group: Group, advantages: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Give each decision the advantage of its step; attempts that were not compared have the advantage 0.

    `advantages` are those of the scored attempts; none when the group was not compared.
    """
    known = iter(advantages)
    return tuple(
        spread_over_decisions(next(known) if advantages and each.is_scored else torch.zeros(len(each.steps)), each)
        for each in group.trajectories
    )
