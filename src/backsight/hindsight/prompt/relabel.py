"""`relabel`: an attempt that failed at what was asked is imitated as a success at what it achieved.

Place: the prompt.
Revealed: the goal that was achieved in fact, as the prompt that would have asked for it.
Sources: HER (Andrychowicz 2017, arXiv:1707.01495), HIR (Zhang 2023, arXiv:2302.05206), HiR (Zhang 2025,
arXiv:2512.23457).
Loss:

    L = L_PG(x, y) + weight · (1/N) Σ_t -w_t·log π(y_t | x', y_<t)   x' the rewritten prompt, N replayed decisions
    w_t = 1, or with `correction_cap` min(π(y_t | x', y_<t)/π_b(y_t | x, y_<t), cap), π_b the behaviour policy

L_PG is the policy gradient on the attempts y at the prompts x that were asked, `weight` the option `imitation_weight`.

A replay is an attempt, or its beginning, under x'. It is imitated, not reinforced: nobody sampled y under x', so its
row says that it is off-policy (`behaviour_log_probs` is None). With w_t = 1 its gradient is biased: it treats what was
done for x as if it had been done for x'. With `reinforce_replays` a replay enters the policy gradient as HiR has it,
with the advantage that a reward of 1 gets among the siblings and the replays of its group; the siblings keep theirs.
HiR recomputes the behaviour under x', a ratio of 1 at first; here there is no ratio, which is the same gradient, but
later passes over the batch are not clipped.

Which goals (HER): `final` takes the goal that was achieved in the end. `future` draws `num_goals` times a step t, and a
moment k ≥ t whose goal is taken; `episode` draws k from all moments alike. HER learns values, and may pair any step
with any goal. What is imitated has to lead to its goal, so here the row is the episode up to k in either case, and with
`future` late moments come up more often. Where the goals on the way are not known, both are `final`.

Which attempts: answers that hit the limit of their length are left out, since to imitate them would teach never to end;
an episode that a limit of time ended may have achieved its goal. With `selection=share` those that achieved the largest
share of what was asked come first, and successes are replayed too (unless `reinforce_replays` is set). With
`selection=hir` it is the failures with the largest F_div + λ·F_int, λ = 2·1.05^s at step s, counted from 0: first those
that surprise, later those that keep most of what was asked. F_int is the achieved share; F_div, the entropy of the
tokens, is estimated by their mean -log π_b, which costs no call of the model.

HIR's label smoothing and entropy bonus are settings of the update (`label_smoothing_factor`, `entropy_coef`). They are
off: its ablation calls them load-bearing, but on the pocket model they hurt.

A rewritten prompt that leaves no room for a completion is not learnt.

When not to use it: where the goal cannot be read off the result (a wrong label is right for no text), or where nobody
would ask for what failed attempts achieve.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.seeds import derive_seed
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
        """The replay as an attempt that earned 1."""
        steps = self.trajectory.steps[: len(self.prompts)]
        return Trajectory(self.trajectory.start, steps, Feedback(reward=1.0, step_rewards=(0.0,) * len(steps)))


class Relabel(Hindsight[RelabelOptions]):
    """Method that imitates attempts under what they achieved, beside the policy gradient on what was asked."""

    def __init__(self, options: RelabelOptions) -> None:
        super().__init__(options)
        self.num_steps = 0

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        self.num_steps += 1  # for the curriculum, and so that every step draws other goals
        replays = [
            [each for each in self._replays(group, f"{self.num_steps}/{number}") if scorer.fits(each.prompts)]
            for number, group in enumerate(groups)
        ]
        weights = self._weights([replay for own in replays for replay in own], scorer)
        if not self.options.reinforce_replays:
            return LookBack(groups, [self._row(replay, imitation_weights=weights_T) for replay, weights_T in weights])
        advantages = _advantages_of_success(groups, replays, scorer)
        rows = [
            self._row(replay, advantages=weights_T * advantages_T)
            for (replay, weights_T), advantages_T in zip(weights, advantages, strict=True)
        ]
        return LookBack(groups, rows)

    def state(self) -> Mapping[str, Tensor]:
        return {"num_steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["num_steps"])

    def _replays(self, group: Group, name: str) -> list[Replay]:
        attempts = tuple(each for each in group.trajectories if not each.is_unfinished)
        # successes already have their share of the policy gradient
        if self.options.selection == "hir" or self.options.reinforce_replays:
            attempts = tuple(each for each in attempts if not each.feedback.success)
        goals = [(each, self._goals(each, f"{name}/{number}")) for number, each in enumerate(attempts)]
        known = sorted([pair for pair in goals if pair[1]], key=lambda pair: self._merit(pair[0]), reverse=True)
        return [Replay(each, prompts) for each, own in known[: self.options.max_replays] for prompts in own]

    def _goals(self, trajectory: Trajectory, name: str) -> list[tuple[Observation, ...]]:
        """Return the prompts that the attempt, or its beginning, was right for; none when none are known."""
        feedback = trajectory.feedback
        asked = [trajectory.prompts] if feedback.success else []
        way = feedback.achieved_prompts_by_step
        if self.options.strategy != "final" and way:
            return asked + [way[moment] for moment in self._moments(len(way), name)]
        return asked or ([] if feedback.achieved_prompts is None else [feedback.achieved_prompts])

    def _moments(self, num_steps: int, name: str) -> list[int]:
        rng = random.Random(derive_seed("relabel", name))
        draws_start = self.options.strategy == "future"
        first = (rng.randrange(num_steps) if draws_start else 0 for _ in range(self.options.num_goals))
        return sorted({rng.randrange(each, num_steps) for each in first})

    def _merit(self, trajectory: Trajectory) -> float:
        share = 1.0 if trajectory.feedback.success else trajectory.feedback.achieved_share or 0.0
        if self.options.selection == "share":
            return share
        surprise = -trajectory.behaviour_log_probs.mean().item()
        # divided by λ, which keeps the order and cannot overflow
        return share + surprise * (1 + CURRICULUM_GROWTH) ** (1 - max(1, self.num_steps)) / CURRICULUM_START

    def _weights(self, replays: Sequence[Replay], scorer: Scorer) -> list[tuple[Replay, Tensor]]:
        """Return each replay with the weights of its decisions, (T,)."""
        if self.options.correction_cap is None:
            return [(replay, torch.ones_like(replay.behaviour_log_probs_T)) for replay in replays]
        exchanges = [(each.prompts, each.trajectory.responses[: len(each.prompts)]) for each in replays]
        scores = scorer.log_probs(exchanges) if exchanges else []
        return [
            (replay, (log_probs_T - replay.behaviour_log_probs_T).exp().clamp(max=self.options.correction_cap))
            for replay, log_probs_T in zip(replays, scores, strict=True)
        ]

    def _row(
        self, replay: Replay, *, imitation_weights: Tensor | None = None, advantages: Tensor | None = None
    ) -> Example:
        return Example(
            prompts=replay.prompts,
            responses=replay.trajectory.responses[: len(replay.prompts)],
            method="relabel",
            imitation_weights=imitation_weights,
            advantages=advantages,
            weight=self.options.imitation_weight,
            trajectory=replay.trajectory,
        )


def _advantages_of_success(
    groups: Sequence[Group], replays: Sequence[Sequence[Replay]], scorer: Scorer
) -> list[Tensor]:
    """Return the advantages of each replay, (T,): those of a success beside the attempts of its group."""
    pairs = [(group, own) for group, own in zip(groups, replays, strict=True) if group.trajectories]
    enlarged = [Group(group.start, (*group.trajectories, *(each.success for each in own))) for group, own in pairs]
    return [
        advantages_T
        for group, (_, own) in zip(scorer.estimate(enlarged), pairs, strict=True)
        for advantages_T in group.advantages[len(group.trajectories) - len(own) :]
    ]
