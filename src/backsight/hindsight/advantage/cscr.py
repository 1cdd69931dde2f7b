"""`cscr`: a token counts for less, the more it depends on being told that the answer is right, or that it is wrong.

Place: the advantage, its magnitude only.
Revealed: nothing but the two verdicts, each of which the policy is told of the same answer in turn.
Source: CSCR (arXiv:2607.27888).
Loss: that of the run's algorithm, with the advantages A'

    s_T  = max over the verdicts v of |log π(a_T | s with v) - log π_old(a_T | s)|,   v "correct", "incorrect"
    w_T  = exp(-max(0, s_T - threshold) / scale) / mean over the attempt
    A'_T = A_T · w_T

T are the tokens of an attempt, a_T what was sampled in the context s, A the estimator's advantages, π the policy and
π_old the policy that sampled. s is the size of the shift: 91 to 96 % of the tokens shift in the same direction under
both verdicts, says the source, so that the direction tells nothing and the size something. The weights w are positive
and have the mean 1 over an attempt: the sign stays that of the reward, and an attempt counts as much as before.

The policy scores itself, so that no teacher is kept. It costs two passes over each attempt with an advantage. We have
read the formula in words, without its numbers: `threshold`, `scale` and the wording of the verdicts are ours.

When not to use it: where every attempt of a group gets the same reward: A is 0, and stays 0; or with answers of a
single token, as a classifier's, whose weight is always 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import CSCROptions
from backsight.hindsight.advantage.token_sizes import check_words, mean_one, multiply, shifts_by_words
from backsight.hindsight.base import Hindsight, LookBack, Scorer
from backsight.hindsight.hints import Hints
from backsight.types import Group

VERDICTS = ("The answer is correct.", "The answer is incorrect.")
"""What the policy is told of one and the same answer."""


class CSCR(Hindsight[CSCROptions]):
    """Method that takes weight from the tokens that a verdict would change."""

    def __init__(self, options: CSCROptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        """Return the groups with the new advantages.

        Raises:
            ConfigError: when an observation is not text.
        """
        check_words(groups, "cscr", "use gigpo or graph_hca")
        shifts = shifts_by_words(groups, scorer, self.hints, lambda attempt, group: VERDICTS)
        return LookBack(multiply(groups, {key: self._weights(own) for key, own in shifts.items()}), [])

    def _weights(self, shifts_KT: Sequence[Tensor]) -> Tensor:
        size_T = torch.stack(list(shifts_KT)).abs().amax(0)
        above_T = (size_T - self.options.threshold).clamp(min=0)
        # less its least, which the mean cancels, so that not all weights of an attempt can round to 0
        return mean_one((-(above_T - above_T.min()) / self.options.scale).exp())
