"""The interface of a policy: what the rest of backsight may ask of it.

Tensors: N decisions, H features of a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from backsight.profiling import Profile
from backsight.types import ActionValue, Decisions, Example, Observation, Sampling, ScoreRequest


class Policy(Protocol):
    """A policy that scores actions, differentiably. How rows are padded, packed or sharded is up to the policy.

    To act is the task of an engine (`backsight.rollouts.base`), in this process or on a server elsewhere.
    """

    @property
    def kind(self) -> str:
        """Kind of the policy, by which an engine in this process is chosen."""
        ...

    @property
    def lists_actions(self) -> bool:
        """Whether the actions at a decision can be listed, so that the most likely ones can be asked for."""
        ...

    @property
    def profile(self) -> Profile:
        """Time and tokens that acting with the policy takes, by phase."""
        ...

    @property
    def module(self) -> nn.Module:
        """Module that is trained, saved and compared."""
        ...

    def log_probs(
        self,
        examples: Sequence[Example],
        sampling: Sampling = ...,
        request: ScoreRequest = ...,
    ) -> Decisions:
        """Compute the log-probability of every decision of the examples, flat, in their order; differentiable.

        Args:
            examples: the examples to score.
            sampling: the settings that the examples were sampled with; without them, the plain softmax is scored.
            request: what to compute besides the log-probabilities.
        """
        ...

    def features(self, examples: Sequence[Example]) -> Tensor:
        """Compute the features of each decision, (N, H), from which a critic can learn (such as hidden states)."""
        ...

    def micro_batches(self, examples: Sequence[Example], budget: int) -> list[list[int]]:
        """Cut the indices of the examples into parts that take at most `budget` tokens (or steps) each when scored."""
        ...

    def recompute_layers(self) -> bool:
        """Save memory by computing layers again in the backward pass; return False when no more can be saved."""
        ...

    def encode(self, text: str) -> ActionValue:
        """Encode a response that was not sampled (a gold answer, a correction) as an action of the policy."""
        ...

    def pieces(self, response: ActionValue) -> list[str]:
        """Return the text of each decision of a response, (T_a,); joined, they read as the response."""
        ...

    def check_prompt(self, prompt: Observation, max_completion_length: int) -> None:
        """Check that the prompt leaves room for a completion; what it holds of one counts towards its length.

        Raises:
            DataError: when it leaves no room.
        """
        ...

    def reference(self) -> Policy:
        """Return the frozen policy that a run is compared with: a copy of this one.

        For a policy with an adapter it is the base without the adapter, whose weights are shared and not copied.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that is needed to load the policy again; safetensors, never pickle.

        For a policy with an adapter, write the adapter and the name of its base model.
        """
        ...


def trained_weights(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that training changes, by name, in their order; with an adapter, all others are frozen."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}


def set_weights(weights: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Set weights, by name and in place, to those that were saved."""
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(saved[name])
