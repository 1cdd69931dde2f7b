"""`srd`: the policy writes down what might go wrong before it answers, and a teacher that knows what did corrects that.

Place: the target, for the tokens of the pitfalls alone; the answer is learnt from its reward.
Revealed: the gold answer of the item, else a correction, a sibling's success, words about the attempt, or its outcome
(`hints.py`).
Source: SRD (arXiv:2610.08077).
Loss:

    L = L_pg + λ · (1/G) Σ_i Σ_l D_α( π(·|x, z_i,<l), π_T(·|x with hint i, z_i,<l) )

over the G attempts i of a step, whether anybody scored them or not, and the tokens l of the pitfalls z_i that attempt i
begins with. L_pg is the loss of the run's algorithm, π the policy, π_T the teacher, λ `distill_weight` and D_α the
divergence of `self_distill`. Where all attempts of a group fail, L_pg is 0 and the teacher still says what to beware
of: for such groups the method was made.

The pitfalls are the thinking part of a completion: what stands before ``</think>`` and the like, which the judge does
not read. The method asks nobody to write any. The prompt has to, for instance with

    instruction="{question}\\nFirst write what might go wrong between <think> and </think>, then answer."

or by `system_prompt`; of a model that thinks anyway, the thoughts are taught. The policy is evaluated under the same
prompt. A run whose first step has no pitfalls is refused, because nothing would ever be taught.

Deviations from the source, of which we have read the loss and not the wording of its request: here the request stands
in the prompt x, and pitfalls and answer are one completion. Teacher and divergence are settings of the run: the
source's are `teacher.update=ema` and `teacher.alpha=0.5`, with the defaults of `teacher.rate` and `teacher.top_k`. The
divergence of a token is weighted by the ratio to the behaviour policy, up to `importance_cap`, as for `self_distill`.

While the teacher is no better than the policy (see `teacher.check_steps`), the method is `outcome`.

When not to use it: where nothing but the reward is revealed; with models that do not write what they are asked to; or
with a limit of the length that leaves no room for both parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, LookBack, Scorer, taught_row
from backsight.hindsight.hints import Hints
from backsight.hindsight.target.options import SRDOptions
from backsight.policies.thinking import thought_end
from backsight.types import Group, Step, Trajectory


class SRD(Hindsight[SRDOptions]):
    """Method whose rows have an advantage throughout, and a teacher for the pitfalls."""

    def __init__(self, options: SRDOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template, options.introduce)
        self.has_begun = False

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups as they are, and a row for each attempt with pitfalls of which something was revealed.

        Raises:
            ConfigError: when in the first step no attempt has pitfalls.
        """
        attempts = [(each, group) for group in groups for each in group.trajectories]
        thoughtful = [pair for pair in attempts if any(step.action.thought_end for step in pair[0].steps)]
        if attempts and not thoughtful and not self.has_begun:
            remedy = (
                "no attempt begins with pitfalls between <think> and </think>; ask for them in the prompts, by "
                "instruction or system_prompt"
            )
            raise ConfigError("hindsight", "srd", remedy)
        self.has_begun = self.has_begun or bool(attempts)
        told = self.hints.inform_all(thoughtful, scorer, with_gold=True)
        if not told or not scorer.trusts_teacher(told, groups):
            return LookBack(groups, [])
        taught = [(each, _mark_pitfalls(each, scorer)) for each, _ in thoughtful if each.key in told]
        # the learner takes the mean over all tokens of pitfalls; the source sums, and takes that over attempts
        weight = self.options.distill_weight * sum(float(weights_T.sum()) for _, weights_T in taught) / len(attempts)
        rows = [
            taught_row(each, "srd", told[each.key], weights_T, weight)
            for each, weights_T in taught
            if each.key is not None
        ]
        return LookBack(groups, rows)

    def state(self) -> Mapping[str, Tensor]:
        return {"has_begun": torch.tensor(self.has_begun)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self.has_begun = bool(state["has_begun"])


def _mark_pitfalls(attempt: Trajectory, scorer: Scorer) -> Tensor:
    """Return 1 for each token of the pitfalls, the mark behind them included, and 0 for the others, (T,)."""
    return torch.cat([_mark_in_step(step, scorer) for step in attempt.steps])


def _mark_in_step(step: Step, scorer: Scorer) -> Tensor:
    count = len(step.action.log_probs)
    if not step.action.thought_end:
        return torch.zeros(count)
    pieces = scorer.pieces(step.action.value)
    end = thought_end("".join(pieces), has_begun=True)  # in pieces special tokens are written out
    begins = list(accumulate(map(len, pieces), initial=0))[:-1]
    return torch.tensor([float(begin < end) for begin in begins])
