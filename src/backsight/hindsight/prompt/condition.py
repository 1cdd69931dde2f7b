"""`condition`: an attempt is imitated under a tag that says how good it was.

Place: the prompt.
Revealed: the quantile of the reward among those seen lately.
Source: Quark (Lu 2022, arXiv:2205.13636).
Loss:

    L = -(1/N) Σ w_k log π(y_t | r_k, x, y_<t) + β·KL(π ‖ π_0)      r_k the tag of quantile k of K, N imitated decisions
    w_k = n/(K'·n_k)                                                n attempts, n_k of them in k, K' quantiles not empty

x is the prompt, y_t token t of an attempt, and π_0 the reference, the policy before training. The P newest rewards are
the pool.

k is ⌈K · the share of rewards in the pool that are not higher⌉, so that equal rewards get the same tag, the highest one
of theirs; but the lowest reward of the pool is always k = 1. With rewards of 0 and 1, failures are tagged 1 and
successes K, however many there are. Where all rewards of the pool are equal there is no ranking, and nothing is taught.
Quark's quantiles are of one size; where ties make them uneven, w_k gives each its equal part. Without it the policy
would imitate little but its failures, which teaches a small model no difference.

Quark asks with the best tag. Here the prompt is asked as it is, so the best quantile is imitated under the plain
prompt, which takes the place of the best tag, and the others under theirs. Quark also goes on training on its whole
pool; here the pool holds rewards only, as the yardstick, and each attempt is imitated in its own step.

β is the run's `beta` (Quark: 0.05), which acts on rows of the policy gradient, and on the method's rows where they are
the only ones (`outcome_weight` 0). The divergence is estimated on the tokens, under the tags.

When not to use it: where luck decides the reward, since a policy that is conditioned on luck does not control it.
Observations in numbers have no room for a tag; for them the method `command` is the same idea.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import prepend_words
from backsight.hindsight.prompt.options import ConditionOptions
from backsight.rounding import EQUAL, difference
from backsight.types import Example, Group, Trajectory

PLACE = "{quantile}"
"""Place of the number in the tag."""


class Condition(Hindsight[ConditionOptions]):
    """Method that imitates all attempts, each under a tag of what it was worth."""

    needs_scores = True

    def __init__(self, options: ConditionOptions) -> None:
        """Make the method, with an empty pool.

        Raises:
            ConfigError: when the tag has no place for the number.
        """
        if PLACE not in options.tag:
            raise ConfigError("tag", options.tag, f"has no {PLACE}; write it where the number belongs")
        super().__init__(options)
        self.rewards_P = torch.zeros(0)

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Add the rewards to the pool, and drop the oldest ones."""
        new = [trajectory.total_reward for group in groups for trajectory in group.trajectories]
        self.rewards_P = torch.cat([self.rewards_P, torch.tensor(new)])[-self.options.pool_size :]

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        if len(self.rewards_P) == 0 or difference(*self._range) == 0:
            return LookBack(groups, [])
        attempts = [each for group in groups for each in group.trajectories if not each.was_cut_off]
        quantiles = [self.quantile(each.total_reward) for each in attempts]
        sizes = Counter(quantiles)
        rows = [
            self._row(each, quantile, len(attempts) / (len(sizes) * sizes[quantile]))
            for each, quantile in zip(attempts, quantiles, strict=True)
        ]
        return LookBack(groups, rows)

    @property
    def _range(self) -> tuple[float, float]:
        """The highest and the lowest reward of the pool."""
        return float(self.rewards_P.max()), float(self.rewards_P.min())

    def state(self) -> Mapping[str, Tensor]:
        return {"rewards": self.rewards_P}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.rewards_P = state["rewards"]

    def _row(self, trajectory: Trajectory, quantile: int, share: float) -> Example:
        tag = "" if quantile == self.options.quantiles else self.options.tag.replace(PLACE, str(quantile))
        num_decisions = trajectory.num_decisions
        return Example(
            prompts=tuple(prepend_words(tag, prompt) for prompt in trajectory.prompts),
            responses=trajectory.responses,
            method="condition",
            imitation_weights=torch.full((num_decisions,), self.options.imitation_weight * share),
            trajectory=trajectory,
        )

    def quantile(self, reward: float) -> int:
        """Return the quantile of a reward, from 1 to K."""
        if difference(reward, self._range[1]) <= 0:
            return 1
        not_higher = int((self.rewards_P <= reward + EQUAL * abs(reward)).sum())
        return -(-self.options.quantiles * not_higher // len(self.rewards_P))
