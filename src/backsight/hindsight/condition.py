"""`condition`: an attempt is imitated under a tag that says how good it was.

Place: the prompt. Revealed: the quantile of the reward among those seen lately. Source: Quark (Lu 2022,
arXiv:2205.13636).

    L = -(1/N) Σ w_k log π(y_t | r_k, x, y_<t) + β·KL(π ‖ π_0)      r_k the tag of quantile k of K, N imitated decisions
    w_k = n/(K'·n_k)                                                n attempts, n_k of them in k, K' quantiles not empty

k is ⌈K · the share of rewards in the pool that are not higher⌉, so that equal rewards get the same tag, the highest one
of theirs; but the lowest reward of the pool is always k = 1. With rewards of 0 and 1 that is failures tagged 1 and
successes K, however many there are. A pool in which all are equal ranks nobody, and teaches nothing. Quark's quantiles
are of one size; where ties make them uneven, w_k gives each its equal part, or the policy would imitate little but
its failures, which teaches a small model no difference.

Quark asks with the best tag. Here the prompt is asked as it is, so the best quantile is imitated under the plain
prompt, which takes the place of the best tag, and the others under theirs. Quark also goes on training on its whole
pool; here the pool holds rewards only, as the yardstick, and each attempt is imitated in its own step.

β is the run's `beta` (Quark: 0.05), which acts on rows of the policy gradient: where nothing else is one
(`outcome_weight` 0) these rows are, with the advantage zero. The divergence is estimated on the tokens, under the tags.

When not to use it: where luck decides the reward: to condition on luck is not to control it. Observations in numbers
have no room for a tag; for them the method `command` is the same idea.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.wording import before
from backsight.types import Example, Group, Trajectory

PLACE = "{quantile}"


class Condition(Hindsight):
    """Imitation of all attempts, each under what it was worth."""

    def __init__(
        self,
        outcome_weight: float = 0.0,
        imitation_weight: float = 1.0,
        quantiles: int = 5,
        pool_size: int = 10_000,
        tag: str = "Quality {quantile}: ",
    ) -> None:
        """Raises `ConfigError` when the tag has no place for the number."""
        if PLACE not in tag:
            raise ConfigError("tag", tag, f"has no {PLACE}; write it where the number belongs")
        self.outcome_weight, self.imitation_weight = outcome_weight, imitation_weight
        self.quantiles, self.pool_size, self.tag = quantiles, pool_size, tag
        self.rewards_P = torch.zeros(0)

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Add the rewards to the pool, and forget the oldest."""
        new = [sum(trajectory.rewards) for group in groups for trajectory in group.trajectories]
        self.rewards_P = torch.cat([self.rewards_P, torch.tensor(new)])[-self.pool_size :]

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        if len(self.rewards_P) == 0 or bool(self.rewards_P.min() == self.rewards_P.max()):
            return []
        attempts = [trajectory for group in groups for trajectory in group.trajectories]
        quantiles = [self.quantile(sum(each.rewards)) for each in attempts]
        sizes = Counter(quantiles)
        return [
            self._example(each, quantile, len(attempts) / (len(sizes) * sizes[quantile]))
            for each, quantile in zip(attempts, quantiles, strict=True)
        ]

    def state(self) -> Mapping[str, Tensor]:
        return {"rewards": self.rewards_P}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.rewards_P = state["rewards"]

    def _example(self, trajectory: Trajectory, quantile: int, share: float) -> Example:
        tag = "" if quantile == self.quantiles else self.tag.replace(PLACE, str(quantile))
        num_decisions = trajectory.num_decisions
        return Example(
            prompts=tuple(before(tag, prompt) for prompt in trajectory.prompts),
            responses=trajectory.responses,
            method="condition",
            advantages=None if self.outcome_weight else torch.zeros(num_decisions),
            imitation_weights=torch.full((num_decisions,), self.imitation_weight * share),
            trajectory=trajectory,
        )

    def quantile(self, reward: float) -> int:
        """From 1 to K."""
        reward_1 = torch.tensor([reward])  # rounded as the pool's are
        if bool(reward_1 <= self.rewards_P.min()):
            return 1
        not_higher = int((self.rewards_P <= reward_1).sum())
        return -(-self.quantiles * not_higher // len(self.rewards_P))
