"""`command`: the best episodes so far are imitated under the commands that they fulfilled.

Place: the prompt. Revealed: the return that was earned from each step on, and the steps that it took, by an environment
wrapped in `backsight.environments.commanded.Commanded`. Source: upside-down reinforcement learning (Schmidhuber 2019,
arXiv:1912.02875; Srivastava 2019, arXiv:1912.02877); a decision transformer (Chen 2021, arXiv:2106.01345) differs in
that it reads the steps before as well.

    L = -(1/N) Σ_t log π(a_t | s_t, Σ_{k≥t} r_k, S - t)        N decisions of the M episodes of the memory

The memory holds the M episodes with the highest return that were ever played, of equal ones the newest, and all of them
are imitated at every step of the training. It is what makes the method work: to imitate only what was played just now
makes the policy repeat itself, and on CartPole it then falls to 9.5 steps an episode and stays there. The source keeps
some hundred episodes and draws from them; with few episodes in all, a small memory learns faster.

When not to use it: where luck decides the return, since what is commanded was then never in one's hands; and for
language models, for which `condition` is the same idea. Where a policy gradient works, it is usually faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.errors import DataError
from backsight.hindsight.base import Hindsight, Scorer, imitated_example
from backsight.types import Example, Group, Trajectory


@dataclass(frozen=True, slots=True)
class Episode:
    """What is remembered of an episode. S steps, D numbers of an observation, A of an action."""

    earned: float
    prompts_SD: Tensor
    responses_SA: Tensor


class Command(Hindsight):
    """Imitation of the best, as what they were."""

    def __init__(self, outcome_weight: float = 0.0, imitation_weight: float = 1.0, memory: int = 25) -> None:
        self.outcome_weight, self.imitation_weight, self.memory = outcome_weight, imitation_weight, memory
        self.episodes: list[Episode] = []

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Remember the episodes that are among the best.

        Raises:
            DataError: an episode does not say which commands it fulfilled.
        """
        new = [_remembered(trajectory) for group in groups for trajectory in group.trajectories]
        self.episodes = sorted([*new, *self.episodes], key=lambda each: -each.earned)[: self.memory]

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        return [
            imitated_example(
                tuple(each.prompts_SD.numpy()), tuple(each.responses_SA.numpy()), "command", self.imitation_weight
            )
            for each in self.episodes
        ]

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


def _remembered(trajectory: Trajectory) -> Episode:
    goal = trajectory.feedback.achieved_goal
    if goal is None or isinstance(goal[0], str | list):
        raise DataError("feedback.achieved_goal", goal, "is no episode in numbers; wrap the environment in Commanded")
    prompts = [torch.as_tensor(observation) for observation in goal]
    responses = [torch.as_tensor(action) for action in trajectory.responses]
    return Episode(sum(trajectory.rewards), torch.stack(prompts), torch.stack(responses))
