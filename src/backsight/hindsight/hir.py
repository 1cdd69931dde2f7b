"""`hir`: an attempt is imitated under the instruction it is right for, and told apart from those of its siblings.

Place: the prompt. Revealed: the goal that was achieved; where nobody knows one, whether the answer was right, in words
before the prompt. Source: HIR (Zhang 2023, arXiv:2302.05206).

    L = L_imitation + α·L_contrastive,    P_ik = Σ_t log π(y_i,t | p_k, y_i,<t)    G attempts i, K prompts k of a group
    L_contrastive = -Σ_i log(exp P_ii / Σ_k exp P_ik),    ∂L_contrastive/∂P_ik = softmax_k(P_i)_k - δ_ik

p_i is the relabelled instruction of attempt i; k runs over the distinct ones of its group (HIR's over a batch). The
contrastive gradient is that of policy-gradient rows (p_k ; y_i) with the advantage α·K·(δ_ik - softmax_k(P_i)_k) at
every token and no behaviour. The update divides them by all their tokens, K of each attempt: the factor K makes it the
sum over attempts divided by their tokens, the measure of the imitation beside it (under `token_mean`, and as long as
`outcome_weight` is 0 and all groups have as many prompts). It costs K passes an attempt. Attempts of several steps,
whose observations are their own, are left out of it, and so are groups with a single prompt.

Successes are learnt under the prompt as it is asked, and failures under `wrong` + prompt: the plain prompt thereby
means a right answer, and is what the policy is asked later. HIR asks with its string for right answers; `right` brings
the string back for learning, but not for asking. Failures that were cut off and achieved no known goal are left out:
to imitate them would teach never to end.

`sub_output` is HIR's training on a random slice y[i:j) with what precedes it in the prompt. A token is predicted from
all that stands before it on either side of that border, so this is to count the tokens of the slice once more.

HIR's label smoothing (0.2) and entropy bonus (0.001) are settings of the update (`label_smoothing_factor`,
`entropy_coef`): its ablation calls them load-bearing, on the pocket model they hurt.

When not to use it: with verdicts alone where nearly all fail, since it is then the wrong answers that are learnt.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, Scorer
from backsight.hindsight.composition import succeeded
from backsight.hindsight.wording import before
from backsight.seeds import derived_seed
from backsight.types import Example, Group, Observation, Trajectory

Prompts = tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """An attempt, what it is right for, and all that somebody in its group was right for."""

    trajectory: Trajectory
    prompts: Prompts
    among: tuple[Prompts, ...]


class HIR(Hindsight):
    """Imitation under relabelled instructions, and contrast between them."""

    def __init__(
        self,
        outcome_weight: float = 0.0,
        imitation_weight: float = 1.0,
        contrastive_weight: float = 1.0,
        sub_output: bool = True,
        right: str = "",
        wrong: str = "With a wrong answer: ",
    ) -> None:
        self.outcome_weight, self.imitation_weight = outcome_weight, imitation_weight
        self.contrastive_weight, self.sub_output = contrastive_weight, sub_output
        self.right, self.wrong = right, wrong
        self.num_steps = 0

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Count the steps, so that every step draws other slices."""
        self.num_steps += 1

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        attempts = [each for group in groups for each in self._relabelled(group)]
        rng = random.Random(derived_seed("hir", self.num_steps))
        rows = []
        for attempt, shares in zip(attempts, self._shares(attempts, scorer), strict=True):
            for prompts, share in zip(attempt.among, shares, strict=True):
                is_own = prompts == attempt.prompts
                advantage = self.contrastive_weight * len(shares) * (float(is_own) - share)
                rows.append(
                    _row(attempt, prompts, advantage, self._imitation_weights(attempt, rng) if is_own else None)
                )
        return rows

    def state(self) -> Mapping[str, Tensor]:
        return {"num_steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["num_steps"])

    def _relabelled(self, group: Group) -> list[Relabelled]:
        pairs = [(each, prompts) for each in group.trajectories if (prompts := self._instruction(each)) is not None]
        if self.contrastive_weight == 0 or not all(_is_completion(each) for each, _ in pairs):
            return [Relabelled(each, prompts, (prompts,)) for each, prompts in pairs]
        among = _distinct([prompts for _, prompts in pairs])
        return [Relabelled(each, prompts, among) for each, prompts in pairs]

    def _instruction(self, trajectory: Trajectory) -> Prompts | None:
        if succeeded(trajectory):
            return tuple(before(self.right, prompt) for prompt in trajectory.prompts)
        if trajectory.feedback.achieved_goal is not None:
            return trajectory.feedback.achieved_goal
        if trajectory.steps[-1].truncated:
            return None
        return tuple(before(self.wrong, prompt) for prompt in trajectory.prompts)

    def _imitation_weights(self, attempt: Relabelled, rng: random.Random) -> Tensor:
        weights_T = torch.full((attempt.trajectory.num_decisions,), self.imitation_weight)
        if self.sub_output:
            first = rng.randrange(len(weights_T))
            weights_T[first : rng.randint(first + 1, len(weights_T))] *= 2
        return weights_T

    def _shares(self, attempts: Sequence[Relabelled], scorer: Scorer) -> list[list[float]]:
        """(K,) for each: softmax_k(P_i); a prompt alone has it all, and is not asked about."""
        contrasted = [each for each in attempts if len(each.among) > 1]
        exchanges = [(prompts, each.trajectory.responses) for each in contrasted for prompts in each.among]
        scores = iter(scorer.log_probs(exchanges) if exchanges else [])
        return [
            torch.stack([next(scores).sum() for _ in each.among]).softmax(-1).tolist() if len(each.among) > 1 else [1.0]
            for each in attempts
        ]


def _row(attempt: Relabelled, prompts: Prompts, advantage: float, imitation_weights_T: Tensor | None) -> Example:
    return Example(
        prompts=prompts,
        responses=attempt.trajectory.responses,
        method="hir",
        advantages=torch.full((attempt.trajectory.num_decisions,), advantage) if len(attempt.among) > 1 else None,
        imitation_weights=imitation_weights_T,
        trajectory=attempt.trajectory,
    )


def _is_completion(trajectory: Trajectory) -> bool:
    """Whether the attempt is one answer in tokens, which would have been possible under any sibling's prompt."""
    return len(trajectory.steps) == 1 and isinstance(trajectory.responses[0], tuple)


def _distinct(prompts: Sequence[Prompts]) -> tuple[Prompts, ...]:
    return tuple(each for number, each in enumerate(prompts) if each not in prompts[:number])
