"""`hir`: an attempt is imitated under the instruction it is right for, in contrast to those of its siblings.

Place: the prompt.
Revealed: the goal that was achieved; where it is not known, whether the answer was right, in words before the prompt.
Source: HIR (Zhang 2023, arXiv:2302.05206).
Loss:

    L = L_imitation + α·L_contrastive,    P_ik = mean over t of log π(y_i,t | p_k, y_i,<t)
    L_contrastive = -Σ_i T_i·log(exp P_ii / Σ_k exp P_ik) / Σ_i T_i,    ∂(-log …)/∂P_ik = softmax_k(P_i)_k - δ_ik

There are G attempts i and K prompts k of a group. y_i is attempt i, of T_i tokens, and p_i its relabelled
instruction, under which L_imitation imitates it; k runs over the distinct
instructions of its group (HIR's over a batch). α is `contrastive_weight`, and δ_ik is 1 for the attempt's own
instruction and 0 for the others.

The contrastive gradient is that of policy-gradient rows (p_k ; y_i) with the advantage α·K·(δ_ik - softmax_k(P_i)_k) at
every token and without a behaviour policy. The update divides them by all their tokens, K of each attempt: the factor K
makes it a mean over attempts by their tokens, the measure of the imitation beside it (under `token_mean`, and as long
as all groups have as many prompts). P is a mean, as in the source: a sum over 64 tokens would be so certain of every
prompt that nothing was left to learn. It costs K passes an attempt. Attempts of several
steps, whose observations are their own, are left out of the contrast, and so are groups with a single prompt.

Successes are learnt under the prompt as it is asked, and failures under `wrong` + prompt: the plain prompt thereby
means a right answer, and is what the policy is asked later. HIR asks with its string for right answers; `right` brings
the string back for learning, but not for asking. Answers that hit the limit of their length are left out, and so are
episodes that were cut off and achieved no known goal: to imitate them would teach never to end.

`sub_output` is HIR's training on a random slice y[i:j) with what precedes it in the prompt. A token is predicted from
all that stands before it, whether as prompt or as response, so this amounts to counting the tokens of the slice once
more.

HIR's label smoothing (0.2) and entropy bonus (0.001) are settings of the update (`label_smoothing_factor`,
`entropy_coef`). Its ablation calls them load-bearing; on the pocket model they hurt.

When not to use it: where only verdicts are known and nearly all attempts fail, since it is then the wrong answers that
are learnt.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import prepend_words
from backsight.hindsight.prompt.options import HIROptions
from backsight.seeds import derive_seed
from backsight.types import Example, Group, Observation, Trajectory

Prompts = tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Attempt with its relabelled prompts, and with all prompts that it is scored under, its own included."""

    trajectory: Trajectory
    prompts: Prompts
    among: tuple[Prompts, ...]


class HIR(Hindsight[HIROptions]):
    """Method that imitates attempts under relabelled instructions, and contrasts these with each other."""

    def __init__(self, options: HIROptions) -> None:
        super().__init__(options)
        self.num_steps = 0

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        self.num_steps += 1  # so that every step draws other slices
        attempts = [each for group in groups for each in self._relabel(group, scorer)]
        rng = random.Random(derive_seed("hir", self.num_steps))
        rows = []
        for attempt, shares in zip(attempts, self._shares(attempts, scorer), strict=True):
            for prompts, share in zip(attempt.among, shares, strict=True):
                is_own = prompts == attempt.prompts
                advantage = self.options.contrastive_weight * len(shares) * (float(is_own) - share)
                rows.append(
                    _row(attempt, prompts, advantage, self._imitation_weights(attempt, rng) if is_own else None)
                )
        return LookBack(groups, rows)

    def state(self) -> Mapping[str, Tensor]:
        return {"num_steps": torch.tensor(self.num_steps)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.num_steps = int(state["num_steps"])

    def _relabel(self, group: Group, scorer: Scorer) -> list[Relabelled]:
        told = [(each, self._instruction(each)) for each in group.trajectories]
        pairs = [(each, prompts) for each, prompts in told if prompts is not None and scorer.fits(prompts)]
        if self.options.contrastive_weight == 0 or not all(_is_completion(each) for each, _ in pairs):
            return [Relabelled(each, prompts, (prompts,)) for each, prompts in pairs]
        among = _distinct([prompts for _, prompts in pairs])
        return [Relabelled(each, prompts, among) for each, prompts in pairs]

    def _instruction(self, trajectory: Trajectory) -> Prompts | None:
        if trajectory.is_unfinished:
            return None
        if trajectory.succeeded:
            return tuple(prepend_words(self.options.right, prompt) for prompt in trajectory.prompts)
        if trajectory.feedback.achieved_prompts is not None:
            return trajectory.feedback.achieved_prompts
        if trajectory.was_cut_off:
            return None
        return tuple(prepend_words(self.options.wrong, prompt) for prompt in trajectory.prompts)

    def _imitation_weights(self, attempt: Relabelled, rng: random.Random) -> Tensor:
        weights_T = torch.full((attempt.trajectory.num_decisions,), self.options.imitation_weight)
        if self.options.sub_output:
            first = rng.randrange(len(weights_T))
            weights_T[first : rng.randint(first + 1, len(weights_T))] *= 2
        return weights_T

    def _shares(self, attempts: Sequence[Relabelled], scorer: Scorer) -> list[list[float]]:
        """Return softmax_k(P_i) for each attempt, (K,); a single prompt has the share 1 and is not scored."""
        contrasted = [each for each in attempts if len(each.among) > 1]
        exchanges = [(prompts, each.trajectory.responses) for each in contrasted for prompts in each.among]
        scores = iter(scorer.log_probs(exchanges) if exchanges else [])
        return [
            torch.stack([next(scores).mean() for _ in each.among]).softmax(-1).tolist()
            if len(each.among) > 1
            else [1.0]
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
    """Return whether the attempt is one answer in tokens, which could have been given under any sibling's prompt."""
    return len(trajectory.steps) == 1 and isinstance(trajectory.responses[0], tuple)


def _distinct(prompts: Sequence[Prompts]) -> tuple[Prompts, ...]:
    return tuple(each for number, each in enumerate(prompts) if each not in prompts[:number])
