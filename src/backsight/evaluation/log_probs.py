"""Log-probabilities of given responses, computed in batches that fit into memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from backsight.policies.base import Policy
from backsight.types import Example

MICRO_BATCH_TOKENS = 16_384


@torch.no_grad()
def mean_log_probs(policy: Policy, examples: Sequence[Example]) -> list[float]:
    """Compute the mean log-probability per decision of each example, in nats."""
    means = [0.0] * len(examples)
    for indices in policy.micro_batches(examples, MICRO_BATCH_TOKENS) if examples else ():
        batch = [examples[index] for index in indices]
        scores = torch.split(policy.log_probs(batch).log_probs_N, [example.num_decisions for example in batch])
        for index, own in zip(indices, scores, strict=True):
            means[index] = float(own.mean())
    return means
