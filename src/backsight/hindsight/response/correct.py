"""`correct`: an attempt that was corrected is learnt as it should have been.

Place: the response.
Revealed: a correction of the attempt (`Feedback.correction`).
Source: DAgger (Ross 2011, arXiv:1011.0686), in one step: an expert corrects what the policy does, and the policy
imitates the corrections.
Loss:

    L = (1/N) Σ_t -log π(c_t | x, c_<t)        N tokens of the corrections of a batch

x is the prompt of an attempt, and c_t token t of its correction. The policy gradient on the attempts stands beside it
with the weight `outcome_weight`, and imitation has the weight `imitation_weight`.

A correction that keeps most of what the policy said is on its own ground: only what had to be changed is unlikely, and
only that is learnt. The same correction of several siblings counts once. Episodes of several steps and corrections
without room behind their prompt are left out.

When not to use it: where all attempts at a prompt are corrected to the same gold answer. `supervised` learns that
without sampling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backsight.hindsight.base import Hindsight, LookBack, Scorer, imitation_row
from backsight.hindsight.response.options import CorrectOptions
from backsight.types import Example, Group


class Correct(Hindsight[CorrectOptions]):
    """Method that imitates the corrections of attempts."""

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        return LookBack(groups, [row for group in groups for row in self._rows(group, scorer)])

    def _rows(self, group: Group, scorer: Scorer) -> Iterator[Example]:
        known: set[str] = set()
        for attempt in group.trajectories:
            correction = attempt.feedback.correction
            if correction is None or correction in known or len(attempt.steps) > 1:
                continue
            known.add(correction)
            response = scorer.encode(correction)
            if scorer.fits(attempt.prompts, response):
                weight = self.options.imitation_weight
                yield imitation_row(attempt.prompts, (response,), "correct", weight, trajectory=attempt)
