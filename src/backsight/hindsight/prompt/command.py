"""`command`: the best episodes so far are imitated under the commands that they fulfilled.

Place: the prompt.
Revealed: the return that was earned from each step on, and the steps that it took, by an environment wrapped in
`backsight.environments.commanded.Commanded`.
Source: upside-down reinforcement learning (Schmidhuber 2019, arXiv:1912.02875; Srivastava 2019, arXiv:1912.02877); a
decision transformer (Chen 2021, arXiv:2106.01345) differs in that it reads the steps before as well.
Loss:

    L = -(1/N) Σ_t log π(a_t | s_t, Σ_{k≥t} r_k, S - t)        N decisions of the M episodes of the memory

At step t of the S steps of an episode, s_t is the observation, a_t the action and r_t the reward; the command is to
earn Σ_{k≥t} r_k in the S - t steps that are left.

The memory holds the M episodes with the highest return that were ever played, of equal ones the newest, and all of them
are imitated at every step of the training. The method depends on it: a policy that imitates only what was played just
now repeats itself, and on CartPole it then falls to 9.5 steps an episode and stays there. The source keeps some hundred
episodes and draws from them; with few episodes in all, a small memory learns faster.

When not to use it: where luck decides the return, since the policy could then never bring about what is commanded; and
for language models, for which `condition` is the same idea. Where a policy gradient works, it is usually faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.prompt.options import CommandOptions
from backsight.types import Group, Trajectory


@dataclass(frozen=True, slots=True)
class Episode:
    """Record of an episode in the memory. S steps, D numbers of an observation, A of an action."""

    earned: float
    prompts_SD: Tensor
    responses_SA: Tensor


class Command(Hindsight[CommandOptions]):
    """Method that imitates the best episodes as answers to the commands that they fulfilled."""

    needs_scores = True

    def __init__(self, options: CommandOptions) -> None:
        super().__init__(options)
        self.episodes: list[Episode] = []

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Remember the episodes that are among the best.

        Raises:
            DataError: when an episode does not say which commands it fulfilled.
        """
        new = [_remember(trajectory) for group in groups for trajectory in group.trajectories]
        self.episodes = sorted([*new, *self.episodes], key=lambda each: -each.earned)[: self.options.memory]

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        weight = self.options.imitation_weight
        rows = [
            imitation_row(tuple(each.prompts_SD.numpy()), tuple(each.responses_SA.numpy()), "command", weight)
            for each in self.episodes
        ]
        return LookBack(groups, rows)

    def state(self) -> Mapping[str, Tensor]:
        if not self.episodes:
            return {}
        return {
            "earned": torch.tensor([each.earned for each in self.episodes], dtype=torch.float64),
            "lengths": torch.tensor([len(each.prompts_SD) for each in self.episodes]),
            "prompts": torch.cat([each.prompts_SD for each in self.episodes]),
            "responses": torch.cat([each.responses_SA for each in self.episodes]),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        lengths = state["lengths"].tolist()
        prompts, responses = (torch.split(state[part], lengths) for part in ("prompts", "responses"))
        earned = state["earned"].tolist()
        self.episodes = [Episode(*each) for each in zip(earned, prompts, responses, strict=True)]


def _remember(trajectory: Trajectory) -> Episode:
    commanded = trajectory.feedback.achieved_prompts
    if commanded is None or isinstance(commanded[0], str | list):
        remedy = "is no episode in numbers; wrap the environment in Commanded"
        raise DataError("feedback.achieved_prompts", commanded, remedy)
    prompts = [torch.as_tensor(observation) for observation in commanded]
    responses = [torch.as_tensor(action) for action in trajectory.responses]
    return Episode(trajectory.total_reward, torch.stack(prompts), torch.stack(responses))
