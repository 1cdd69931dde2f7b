"""A policy blended from two: the logits of the first, moved towards those of the second."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from backsight.policies.scoring.log_probs import States, score
from backsight.policies.text import NO_EXTRAS, PLAIN, LanguageModelPolicy
from backsight.types import Decisions, Example, Sampling, ScoreRequest


class BlendedPolicy:
    """A scorer with lerp(anchor's logits, other's logits, share).

    Of two policies it is the trust-region teacher of SDPO (arXiv:2601.20802). Of one policy with and without the hint
    it is the target of β-OPSD (arXiv:2607.28582): with `anchor_reads_other_prompts`, the anchor reads the prompts that
    are not the other's. It is never trained and never acts, so it has only a part of the methods of `Policy`.
    """

    def __init__(
        self,
        anchor: LanguageModelPolicy,
        other: LanguageModelPolicy,
        share: float,
        *,
        anchor_reads_other_prompts: bool = False,
    ) -> None:
        self.anchor, self.other, self.share = anchor, other, share
        self.anchor_reads_other_prompts = anchor_reads_other_prompts

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        return self.anchor.micro_batches(examples, budget)

    def log_probs(
        self, examples: Sequence[Example], sampling: Sampling = PLAIN, request: ScoreRequest = NO_EXTRAS
    ) -> Decisions:
        read = [each.exchanged for each in examples] if self.anchor_reads_other_prompts else examples
        one, two = self.anchor.states(read, sampling), self.other.states(examples, sampling)
        width = one.hidden_NH.shape[-1]

        def head(hidden: Tensor) -> Tensor:
            return torch.lerp(one.head(hidden[:, :width]).float(), two.head(hidden[:, width:]).float(), self.share)

        both = States(
            head,
            one.vocabulary,
            torch.cat([one.hidden_NH, two.hidden_NH], -1),
            one.tokens_N,
            one.positions_N,
            one.num_tokens + two.num_tokens,
        )
        return score(both, sampling, self.anchor.end_tokens, request)
