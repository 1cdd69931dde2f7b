"""`relabel`: an attempt that failed at what was asked is a success at what it achieved.

Place: the prompt. Revealed: the goal that was achieved in fact, as the prompt that would have asked for it.
Sources: HER (Andrychowicz 2017, arXiv:1707.01495), HIR (Zhang 2023, arXiv:2302.05206), HiR (Zhang 2025,
arXiv:2512.23457).

    L = L_PG(x, y) + weight · (1/N) Σ_t -w_t·log π(y_t | x', y_<t)   x' the rewritten prompt, N replayed decisions
    w_t = 1, or with `correction_cap` min(π(y_t | x', y_<t)/π_b(y_t | x, y_<t), cap), π_b the behaviour policy

A replay is imitated, not reinforced: nobody sampled y under x', so it says that it is off-policy (`behaviour_log_probs`
is None). With w_t = 1 its gradient is biased: it treats what was done for x as if it had been done for x'. With
`reinforce_replays` it enters the policy gradient as HiR has it, with the advantage that a reward of 1 gets among the
siblings and the replays of its group; the siblings keep theirs. HiR recomputes the behaviour under x', a ratio of 1 at
first; here there is none, which is the same gradient, but later passes over the batch are not clipped.

Which goals (HER): `final`, the one achieved in the end. `future`: `num_goals` times a step t is drawn, and a moment
k ≥ t whose goal is taken; `episode`: k is drawn from all alike. HER learns values, and may pair any step with any goal;
what is imitated has to lead to its goal, so here the row is the episode up to k in either case, and with `future` late
moments come up more often. Where nobody knows the way, both are `final`.

Which attempts (HiR): failures with the largest F_div + λ·F_int, λ = 2·1.05^s at step s: first those that surprise,
later those that keep most of what was asked. F_int is the achieved share; F_div, the entropy of the tokens, is
estimated by their mean -log π_b, which costs no call of the model.

HIR's label smoothing and entropy bonus are settings of the update (`label_smoothing_factor`, `entropy_coef`); its
ablation calls them load-bearing, on the pocket model they hurt, so they are off.

When not to use it: where the goal cannot be read off the result (a wrong label is right for no text), or where what
is achieved by failing is never what one would ask for.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, Scorer, behaviour_log_probs
from backsight.seeds import derived_seed
from backsight.types import Example, Feedback, Group, Observation, Trajectory

CURRICULUM_START, CURRICULUM_GROWTH = 2.0, 0.05
"""HiR's λ0 and η."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The first steps of an attempt, under the prompts that ask for what they achieved."""

    trajectory: Trajectory
    prompts: tuple[Observation, ...]

    @property
    def behaviour_log_probs_T(self) -> Tensor:
        return torch.cat([step.action.log_probs for step in self.trajectory.steps[: len(self.prompts)]])

    @property
    def success(self) -> Trajectory:
        """The same, as an attempt that earned 1."""
        steps = self.trajectory.steps[: len(self.prompts)]
        return Trajectory(self.trajectory.start, steps, Feedback(reward=1.0, step_rewards=(0.0,) * len(steps)))


class Relabel(Hindsight):
    """The policy gradient on what was asked, and imitation under what was achieved."""

    def __init__(
        self,
        outcome_weight: float = 1.0,
        imitation_weight: float = 1.0,
        max_replays: int | None = None,
        strategy: Literal["final", "future", "episode"] = "final",
        num_goals: int = 4,
        selection: Literal["share", "hir"] = "share",
        reinforce_replays: bool = False,
        correction_cap: float | None = None,
    ) -> None:
        self.outcome_weight, self.imitation_weight = outcome_weight, imitation_weight
        self.max_replays, self.strategy, self.num_goals = max_replays, strategy, num_goals
        self.selection, self.reinforce_replays, self.correction_cap = selection, reinforce_replays, correction_cap
        self.num_steps = 0

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Count the steps: for the curriculum, and so that every step draws other goals."""
        self.num_steps += 1

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        replays = [self._replays(group, f"{self.num_steps}/{number}") for number, group in enumerate(groups)]
        weights = self._weights([replay for own in replays for replay in own], scorer)
        if not self.reinforce_replays:
            return [self._example(replay, imitation_weights=weights_T) for replay, weights_T in weights]
        advantages = _advantages_of_success(groups, replays, scorer)
        return [
            self._example(replay, advantages=weights_T * advantages_T)
            for (replay, weights_T), advantages_T in zip(weights, advantages, strict=True)
        ]

    def state(self) -> Mapping[str, Tensor]:
        return {"num_steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["num_steps"])

    def _replays(self, group: Group, name: str) -> list[Replay]:
        attempts = group.trajectories
        if self.selection == "hir" or self.reinforce_replays:  # successes have their share of the policy gradient
            attempts = tuple(each for each in attempts if not each.feedback.success)
        goals = [(each, self._goals(each, f"{name}/{number}")) for number, each in enumerate(attempts)]
        known = sorted([pair for pair in goals if pair[1]], key=lambda pair: self._merit(pair[0]), reverse=True)
        return [Replay(each, prompts) for each, own in known[: self.max_replays] for prompts in own]

    def _goals(self, trajectory: Trajectory, name: str) -> list[tuple[Observation, ...]]:
        """The prompts that the attempt, or its beginning, was right for; none when nobody knows of any."""
        feedback = trajectory.feedback
        asked = [trajectory.prompts] if feedback.success else []
        way = feedback.goals_on_the_way
        if self.strategy != "final" and way:
            return asked + [way[moment] for moment in self._moments(len(way), name)]
        return asked or ([] if feedback.achieved_goal is None else [feedback.achieved_goal])

    def _moments(self, num_steps: int, name: str) -> list[int]:
        rng = random.Random(derived_seed("relabel", name))
        first = (rng.randrange(num_steps) if self.strategy == "future" else 0 for _ in range(self.num_goals))
        return sorted({rng.randrange(each, num_steps) for each in first})

    def _merit(self, trajectory: Trajectory) -> float:
        share = 1.0 if trajectory.feedback.success else trajectory.feedback.achieved_share or 0.0
        if self.selection == "share":
            return share
        surprise = -behaviour_log_probs(trajectory).mean().item()
        # divided by λ, which keeps the order and cannot overflow
        return share + surprise * (1 + CURRICULUM_GROWTH) ** (1 - max(1, self.num_steps)) / CURRICULUM_START

    def _weights(self, replays: Sequence[Replay], scorer: Scorer) -> list[tuple[Replay, Tensor]]:
        """(T,) how much each decision counts."""
        if self.correction_cap is None:
            return [(replay, torch.ones_like(replay.behaviour_log_probs_T)) for replay in replays]
        exchanges = [(each.prompts, each.trajectory.responses[: len(each.prompts)]) for each in replays]
        scores = scorer.log_probs(exchanges) if exchanges else []
        return [
            (replay, (log_probs_T - replay.behaviour_log_probs_T).exp().clamp(max=self.correction_cap))
            for replay, log_probs_T in zip(replays, scores, strict=True)
        ]

    def _example(
        self, replay: Replay, *, imitation_weights: Tensor | None = None, advantages: Tensor | None = None
    ) -> Example:
        return Example(
            prompts=replay.prompts,
            responses=replay.trajectory.responses[: len(replay.prompts)],
            method="relabel",
            imitation_weights=imitation_weights,
            advantages=advantages,
            weight=self.imitation_weight,
            trajectory=replay.trajectory,
        )


def _advantages_of_success(
    groups: Sequence[Group], replays: Sequence[Sequence[Replay]], scorer: Scorer
) -> list[Tensor]:
    """(T,) for each replay: what the estimator gives it as a success beside the attempts of its group."""
    pairs = [(group, own) for group, own in zip(groups, replays, strict=True) if group.trajectories]
    enlarged = [Group(group.start, (*group.trajectories, *(each.success for each in own))) for group, own in pairs]
    return [
        advantages_T
        for group, (_, own) in zip(scorer.estimate(enlarged), pairs, strict=True)
        for advantages_T in group.advantages[len(group.trajectories) - len(own) :]
    ]
