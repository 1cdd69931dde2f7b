"""`rlcsd`: a token counts for more where a right answer makes it likelier than wrong ones do.

Place: the advantage, its magnitude only.
Revealed: which siblings were right and which were wrong, the attempt itself left out.
Source: RLCSD (arXiv:2606.11709).
Loss: that of the run's algorithm, with the advantages A'

    e_T = log π_T(a_T | s with a right answer) - log[ (1/K) Σ_k π_T(a_T | s with wrong answer k) ]
    r_T = strength · tanh(e_T / temperature)
    A'_T = A_T + r_T where |r_T| > threshold, A_T elsewhere;  0 where that would change its sign, and where A_T = 0
    L    = mean of the loss over the unchanged tokens + η · mean over the changed ones,   η = 1

T are the tokens of an attempt, a_T what was sampled in the context s, A the estimator's advantages, π_T the teacher, K
the number of wrong answers that are shown, e the contrast and r the change.

Both kinds of answer are introduced with the same words: what any example at all does to style cancels, and only what
tells them apart is left. The source also clips r at ±2, which `strength` cannot exceed here. The two means are made by
scaling the advantages, which is exact for algorithms that average over the tokens of a batch.

An attempt needs a right sibling and a wrong one, besides itself, whose words fit into the context; one without keeps
its advantage, such as a lone success. It costs K + 1 passes of the teacher over each attempt.

When not to use it: where every attempt of a group gets the same reward, or where successes are so rare that groups with
two are exceptions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from backsight.hindsight.advantage.options import RLCSDOptions
from backsight.hindsight.base import Exchange, Hindsight, LookBack, Scorer
from backsight.hindsight.hints import Hints, are_words
from backsight.types import AttemptKey, Group, Trajectory

INTRODUCTION = "An answer to compare with: "
"""Words before the answer of a sibling, right or wrong."""


class RLCSD(Hindsight[RLCSDOptions]):
    """Method that adds the contrast between right and wrong answers where the sign of the advantage stays."""

    def __init__(self, options: RLCSDOptions) -> None:
        super().__init__(options)
        self.hints = Hints(options.template)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        asked = {
            each.key: exchanges
            for group in groups
            for each in group.trajectories
            if each.key is not None and (exchanges := self._exchanges(each, group, scorer))
        }
        told = {key: exchanges[0][0] for key, exchanges in asked.items()}
        if not told or not scorer.trusts_teacher(told, groups):
            return LookBack(groups, [])
        answers = iter(scorer.teacher_log_probs([each for exchanges in asked.values() for each in exchanges]))
        changes = {key: self._change(list(islice(answers, len(exchanges)))) for key, exchanges in asked.items()}
        return LookBack(_average_apart(groups, changes), [])

    def _exchanges(self, trajectory: Trajectory, group: Group, scorer: Scorer) -> list[Exchange]:
        """Return the attempt under a right answer, then under each wrong one; none when a kind is missing."""
        if not are_words(trajectory.prompts):
            return []
        others = [each for each in group.trajectories if each is not trajectory]
        right = self._shown(trajectory, [each for each in others if each.succeeded], scorer)
        wrong = self._shown(trajectory, [each for each in others if not each.succeeded], scorer)
        first, several = list(islice(right, 1)), list(islice(wrong, self.options.num_wrong))
        return first + several if first and several else []

    def _shown(self, trajectory: Trajectory, others: Sequence[Trajectory], scorer: Scorer) -> Iterator[Exchange]:
        """Yield the attempt under what each of the others said, where that is in words and fits into the context."""
        for other in others:
            texts = [step.action.text for step in other.steps]
            if all(texts):
                said = INTRODUCTION + "\n".join(text.strip() for text in texts if text)
                prompts = tuple(self.hints.with_text(prompt, said) for prompt in trajectory.prompts)
                if scorer.fits(prompts):
                    yield prompts, trajectory.responses

    def _change(self, log_probs: Sequence[Tensor]) -> Tensor:
        """Return r_T, (T,); 0 where it is no larger than the threshold. `log_probs` start with the right answer's."""
        right_T, wrong_KT = log_probs[0], torch.stack(list(log_probs[1:]))
        contrast_T = right_T - (wrong_KT.logsumexp(0) - math.log(len(wrong_KT)))
        change_T = self.options.strength * (contrast_T / self.options.temperature).tanh()
        return torch.where(change_T.abs() > self.options.threshold, change_T, 0.0)


def _average_apart(groups: Sequence[Group], changes: Mapping[AttemptKey, Tensor]) -> list[Group]:
    """Return the groups with the new advantages, so scaled that their mean over all decisions of the batch is the mean
    over the unchanged ones plus the mean over the changed ones."""
    pairs = [
        (advantages_T, changes.get(each.key) if each.key is not None else None)
        for group in groups
        for each, advantages_T in zip(group.trajectories, group.advantages, strict=True)
    ]
    total = sum(len(advantages_T) for advantages_T, _ in pairs)
    selected = sum(int(change_T.count_nonzero()) for _, change_T in pairs if change_T is not None)
    scales = (total / max(1, total - selected), total / max(1, selected))
    new = iter([_add_change(*pair, *scales) for pair in pairs])
    return [replace(group, advantages=tuple(next(new) for _ in group.trajectories)) for group in groups]


def _add_change(advantages_T: Tensor, change_T: Tensor | None, unchanged_scale: float, changed_scale: float) -> Tensor:
    if change_T is None:
        return advantages_T * unchanged_scale
    changed_T = advantages_T + change_T
    kept_T = torch.where(changed_T * advantages_T > 0, changed_T, 0.0)
    return torch.where(change_T == 0, advantages_T * unchanged_scale, kept_T * changed_scale)
