"""The critic of PPO: it learns to predict what is still to be earned, and estimates advantages from that.

Tensors: T decisions of a trajectory, N of a batch, H hidden numbers of the policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from backsight.distributed.ranks import ALONE, Ranks
from backsight.errors import RewardError
from backsight.estimators.advantages import are_equal, generalised_advantages
from backsight.hindsight.base import policy_gradient_row
from backsight.policies.base import Policy
from backsight.training.config import TrainingConfig
from backsight.types import Example, Group, Trajectory

HIDDEN = 64
EPOCHS = 8
"""Number of passes over the decisions of a step; the network is small, and what it reads is computed once."""


class Critic:
    """A value head on the policy's last hidden states (for a module policy, on the observation).

    The gradient of its loss does not reach the policy's weights, so that no coefficient has to balance the two losses.
    """

    def __init__(self, policy: Policy, config: TrainingConfig, ranks: Ranks = ALONE) -> None:
        self.policy, self.config, self.ranks = policy, config, ranks
        self.head: nn.Sequential | None = None
        self.optimizer: torch.optim.Optimizer | None = None
        self.seen: tuple[Tensor, Tensor] | None = None
        """Features of the newest groups, (N, H), and the values that the critic should have predicted, (N,)."""

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        """Return the groups with generalised advantages from the present predictions, scaled to mean 0 and deviation 1.

        They are 0 where all are equal, and for attempts that nobody scored. `learn` uses the rewards of the last call,
        of attempts that were made in fact: what a method invents to be compared with has no key, and is not learnt.
        """
        trajectories = [each for group in groups for each in group.scored]
        if not trajectories:
            return [_with_advantages(group, []) for group in groups]
        features = self._features([policy_gradient_row(each, torch.zeros(each.num_decisions)) for each in trajectories])
        with torch.no_grad():
            values = [self._values(features_TH) for features_TH in features]
        behind = self._values_behind(trajectories)
        advantages = [self._advantages(*each) for each in zip(trajectories, values, behind, strict=True)]
        targets = [one + other for one, other in zip(advantages, values, strict=True)]
        made = [index for index, each in enumerate(trajectories) if each.key is not None]
        if made:
            self.seen = (torch.cat([features[index] for index in made]), torch.cat([targets[index] for index in made]))
        scaled = iter(_standardise(advantages, torch.cat(targets)))
        return [_with_advantages(group, [next(scaled) for _ in group.scored]) for group in groups]

    def _values_behind(self, trajectories: Sequence[Trajectory]) -> list[float]:
        """Return what is expected behind the last step of each trajectory: 0 unless a limit cut it off."""
        cut_off = {index: row for index, each in enumerate(trajectories) if (row := _row_behind(each)) is not None}
        with torch.no_grad():
            values = [float(self._values(features_TH)[0]) for features_TH in self._features(list(cut_off.values()))]
        known = dict(zip(cut_off, values, strict=True))
        return [
            known[index] + each.next_potential if index in known else 0.0 for index, each in enumerate(trajectories)
        ]

    def _advantages(self, trajectory: Trajectory, values_T: Tensor, value_behind: float) -> Tensor:
        """Estimate the advantages of one trajectory, (T,).

        A reward comes with the last decision of its step; only steps are discounted, not the tokens within one.
        """
        rewards_T: list[float] = []
        discounts_T: list[float] = []
        for reward, step in zip(trajectory.rewards, trajectory.steps, strict=True):
            within = len(step.action.log_probs) - 1
            rewards_T += [0.0] * within + [reward]
            discounts_T += [1.0] * within + [self.config.discount]
        return generalised_advantages(
            rewards_T, values_T.tolist(), discounts_T, self.config.gae_lambda, value_behind=value_behind
        )

    def _features(self, rows: Sequence[Example]) -> list[Tensor]:
        """Return the features of the decisions of each row, (T, H), of which each rank computes a part."""
        return self.ranks.share(rows, self._features_of)

    @torch.no_grad()
    def _features_of(self, rows: Sequence[Example]) -> list[Tensor]:
        lengths = [each.num_decisions for each in rows]
        parts: dict[int, Tensor] = {}
        for cut in self.policy.micro_batches(rows, self.config.micro_batch_size):
            features_NH = self.policy.features([rows[index] for index in cut]).float().cpu()
            split = torch.split(features_NH, [lengths[index] for index in cut])
            parts.update(zip(cut, split, strict=True))
        return [parts[index] for index in range(len(rows))]

    def _values(self, features_NH: Tensor) -> Tensor:
        if self.head is None:
            self._build(features_NH.shape[-1])
        assert self.head is not None
        values_N: Tensor = self.head(features_NH).squeeze(-1)
        return values_N

    def _build(self, width: int) -> None:
        value = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(value.weight)  # the first predictions are zero
        nn.init.zeros_(value.bias)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, HIDDEN), nn.Tanh(), value)
        self.optimizer = torch.optim.Adam(self.head.parameters(), self.config.critic_learning_rate)

    def learn(self) -> None:
        """Learn from the last call of `estimate`, once a step, when methods no longer change the rewards."""
        if self.seen is None:
            return
        assert self.optimizer is not None
        features_NH, targets_N = self.seen
        self.seen = None
        for _ in range(EPOCHS):
            self.optimizer.zero_grad()
            loss = (self._values(features_NH) - targets_N).square().mean()
            if not loss.isfinite():
                largest = float(targets_N.abs().max())
                raise RewardError("reward", f"returns up to {largest:.3g}", "the critic cannot learn them; scale them")
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def state(self) -> Mapping[str, Tensor]:
        """Return the weights of head and optimizer, for a checkpoint; none before the first step."""
        if self.head is None or self.optimizer is None:
            return {}
        tensors = {f"head.{name}": value for name, value in self.head.state_dict().items()}
        for index, own in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in own.items()}
        return tensors

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over the weights that `state` returned."""
        weights = {name.removeprefix("head."): value for name, value in state.items() if name.startswith("head.")}
        if not weights:
            return
        self._build(len(weights["0.weight"]))
        assert self.head is not None and self.optimizer is not None
        self.head.load_state_dict(weights)
        slots: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("optimizer."):
                _, index, slot = name.split(".", 2)
                slots.setdefault(int(index), {})[slot] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})


def _row_behind(trajectory: Trajectory) -> Example | None:
    """Return a row whose only decision is taken behind the last step; None where the episode ended there.

    The features of a decision do not depend on what is decided, so that any action will do.
    """
    if trajectory.next_observation is None:
        return None
    value = trajectory.steps[-1].action.value
    decision = value[:1] if isinstance(value, tuple) else value
    return Example((trajectory.next_observation,), (decision,), method="critic", advantages=torch.zeros(1))


def _standardise(advantages: Sequence[Tensor], targets_N: Tensor) -> list[Tensor]:
    """Scale advantages to mean 0 and deviation 1; those that differ by rounding alone, relative to what was expected
    and earned, become 0."""
    all_N = torch.cat(list(advantages))
    if are_equal(all_N, torch.cat([all_N, targets_N])):
        return [torch.zeros_like(each) for each in advantages]
    mean, deviation = float(all_N.mean()), float(all_N.std(correction=0))
    return [(each - mean) / (deviation + 1e-8) for each in advantages]


def _with_advantages(group: Group, scored: Sequence[Tensor]) -> Group:
    """Return the group with the advantages of the attempts that somebody scored; the others have 0."""
    known = iter(scored)
    return replace(
        group,
        advantages=tuple(
            next(known) if each.is_scored else torch.zeros(each.num_decisions) for each in group.trajectories
        ),
    )
