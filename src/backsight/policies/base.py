"""What the rest of backsight may ask of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from backsight.types import ActionValue, Decisions, Example, Observation, Sampling, Wanted


class Policy(Protocol):
    """Scores actions, differentiably. How rows are padded, packed or sharded is its own business.

    Who *acts* is an engine (`backsight.rollouts.engine`): in process, or a server elsewhere.
    """

    @property
    def module(self) -> nn.Module:
        """What is trained, saved and compared."""
        ...

    def log_probs(
        self,
        examples: Sequence[Example],
        sampling: Sampling = ...,
        wanted: Wanted = ...,
    ) -> Decisions:
        """Log-probability of every decision of the examples, flat, in their order; differentiable.

        `sampling` is what the examples were sampled with; without it, the bare softmax.
        """
        ...

    def features(self, examples: Sequence[Example]) -> Tensor:
        """(N, H) what it makes of what it sees at each decision: what a critic can learn from."""
        ...

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Indices of the examples, cut into parts that take at most `budget` tokens (or steps) each when scored."""
        ...

    def recompute_layers(self) -> bool:
        """Save memory: from now on compute layers again in the backward pass. False when there is no more to save."""
        ...

    def encode(self, text: str) -> ActionValue:
        """A response nobody sampled (a gold answer, a correction) as the policy would have had to act it."""
        ...

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """Raise a `DataError` when the prompt leaves no room for a completion."""
        ...

    def reference(self) -> Policy:
        """The anchor of a run: a copy; of a policy with an adapter its base without one, and that is no second copy."""
        ...

    def save(self, folder: Path) -> None:
        """Write everything that is needed to load the policy again; safetensors, never pickle.

        Of a policy with an adapter: the adapter, and what model it is for.
        """
        ...


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that training changes, by name, in their order: beside an adapter all others are frozen."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
