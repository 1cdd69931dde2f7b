"""The room that a run folder takes on the disk."""

from __future__ import annotations

from dataclasses import dataclass

from backsight.planning.memory import BYTES_IN_BF16, SAMPLER, ModelSize
from backsight.policies.footprint import BYTES_OF_A_WEIGHT
from backsight.reports.packed_lines import LARGEST_FOLDER
from backsight.training.config import TrainingConfig

BYTES_OF_A_TRACED_TOKEN = 28
"""Bytes of a token in a packed trace: 24 to 30 were seen (SmolLM2-135M, rows of about 50 tokens)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a run writes for each thing that happens, in bytes, and how often it does."""

    an_attempt: float
    attempts: float
    traced_tokens: float
    """Number of tokens in all traces."""
    answers: float
    """Number of attempts in all evaluations."""


def disk_of(
    size: ModelSize, config: TrainingConfig, copies: tuple[str, ...], steps: int, written: Written
) -> dict[str, float]:
    """Return the bytes of a run folder at its end, by part.

    A checkpoint holds the weights that are trained, two moments of each, masters, and each copy of the policy but the
    sampler's, which is one of those of the steps ahead. While a checkpoint is written, the oldest is there as well.
    """
    a_weight = BYTES_IN_BF16 if config.bf16 else BYTES_OF_A_WEIGHT
    of_policy = a_weight * size.num_trained if size.has_adapter else a_weight * size.num_weights
    masters = BYTES_OF_A_WEIGHT * size.num_trained if config.bf16 else 0
    kept = 1 + sum(name != SAMPLER for name in copies)
    a_checkpoint = of_policy * kept + 2 * BYTES_OF_A_WEIGHT * size.num_trained + masters
    count = 1 + (steps // config.save_steps if config.save_steps else 0)
    return {
        "checkpoints": a_checkpoint * min(count, config.save_total_limit + 1),
        "policy": of_policy,
        "trajectories": written.an_attempt * written.attempts / config.logging_steps,
        "answers": min(LARGEST_FOLDER, written.an_attempt * written.answers),
        "traces": min(LARGEST_FOLDER, BYTES_OF_A_TRACED_TOKEN * written.traced_tokens),
    }
