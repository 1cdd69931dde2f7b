"""Distributions over actions, and how the numbers that a module returns become one.

Tensors: N decisions, V numbers of the module's output, A numbers of an action, K choices of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Protocol

import torch
from torch import Tensor

from backsight.errors import ConfigError

LOG_SQRT_TAU = 0.5 * math.log(2 * math.pi)
LOG_STD_RANGE = (-10.0, 10.0)
"""Range of log-deviations, which keeps a density finite when a module's output grows without bound."""


class ActionDistribution(Protocol):
    """A distribution over actions at each of N decisions."""

    def most_likely(self) -> Tensor:
        """Return the most likely action of each decision, (N, A)."""
        ...

    def draw(self, seeds: Sequence[int]) -> Tensor:
        """Draw an action for each decision, (N, A), each row by its own seed."""
        ...

    def log_probs(self, actions_NA: Tensor) -> Tensor:
        """Compute the log-probability of each whole action, (N,): the sum over its A numbers."""
        ...

    def entropy(self) -> Tensor:
        """Compute the entropy at each decision in nats, (N,)."""
        ...

    def uniform_log_probs(self) -> Tensor:
        """Compute the mean log-probability over all actions at each decision, (N,)."""
        ...

    def all_log_probs(self) -> Tensor:
        """Compute the log-probability of each of K actions at each decision, (N, K).

        Raises:
            ConfigError: when the actions cannot be counted.
        """
        ...


class ActionHead(Protocol):
    """What a module has to return for an action space, and how its outputs are read."""

    widths: tuple[int, ...]
    """Numbers of outputs that the module may return for an observation."""
    contract: str
    """What the module has to return, in words for an error message."""

    def are_probabilities(self, outputs_NV: Tensor) -> bool:
        """Return whether the outputs look like probabilities rather than logits or means."""
        ...

    def distribution(self, outputs_NV: Tensor, temperature: float) -> ActionDistribution:
        """Make the distribution from logits, or from means and log-deviations; temperature 0 is read as 1."""
        ...


class CategoricalHead:
    """Independent choices, the k-th among `sizes[k]`. An action is the indices that were chosen, (A,) int64."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self.widths: tuple[int, ...] = (sum(self.sizes),)
        self.contract = f"return {self.widths[0]} probabilities or logits for each observation"

    def are_probabilities(self, outputs_NV: Tensor) -> bool:
        blocks = outputs_NV.split_with_sizes(self.sizes, -1)
        return all(bool((block >= 0).all() and ((block.sum(-1) - 1).abs() < 1e-4).all()) for block in blocks)

    def distribution(self, outputs_NV: Tensor, temperature: float) -> Categorical:
        if temperature not in (0, 1):
            outputs_NV = outputs_NV / temperature
        return Categorical([logits_NK.log_softmax(-1) for logits_NK in outputs_NV.split_with_sizes(self.sizes, -1)])


class Categorical:
    """Independent choices: one (N, K) tensor of log-probabilities for each of the A choices."""

    def __init__(self, blocks: Sequence[Tensor]) -> None:
        self.blocks = blocks

    def most_likely(self) -> Tensor:
        return torch.cat([log_probs_NK.argmax(-1, keepdim=True) for log_probs_NK in self.blocks], -1)

    def draw(self, seeds: Sequence[int]) -> Tensor:
        # of waiting times (exponential, rates p_k) the k-th is shortest with probability p_k; `multinomial` is slower
        sizes = [each.shape[-1] for each in self.blocks]
        clocks_NV = _noise(seeds, lambda generator: torch.empty(sum(sizes)).exponential_(generator=generator)).log_()
        clocks = clocks_NV.split_with_sizes(sizes, -1)
        return Categorical([each - clock_NK for each, clock_NK in zip(self.blocks, clocks, strict=True)]).most_likely()

    def log_probs(self, actions_NA: Tensor) -> Tensor:
        indices = actions_NA.split_with_sizes([1] * len(self.blocks), -1)
        chosen = [each.gather(-1, index_N1) for each, index_N1 in zip(self.blocks, indices, strict=True)]
        return reduce(add, chosen).squeeze(-1)

    def entropy(self) -> Tensor:
        return reduce(add, [-(each.exp() * each).sum(-1) for each in self.blocks])

    def uniform_log_probs(self) -> Tensor:
        return reduce(add, [each.mean(-1) for each in self.blocks])

    def all_log_probs(self) -> Tensor:
        if len(self.blocks) > 1:
            raise ConfigError(
                "hindsight", "a teacher", "compares single choices; give the environment one Discrete action"
            )
        return self.blocks[0]


class GaussianHead:
    """A number on the real line for each dimension, drawn around a mean. An action is those numbers, (A,) float32.

    A module that returns means alone explores with the fixed deviations `scale`; one that returns twice as many
    numbers gives the logarithms of its own deviations after the means, and learns them.
    """

    def __init__(self, scale: Sequence[float]) -> None:
        self.scale_A = torch.tensor(scale, dtype=torch.float32)
        self.widths: tuple[int, ...] = (len(scale), 2 * len(scale))
        self.contract = (
            f"return {self.widths[0]} means, or {self.widths[0]} means and as many log-deviations, for each observation"
        )

    def are_probabilities(self, outputs_NV: Tensor) -> bool:
        return False

    def distribution(self, outputs_NV: Tensor, temperature: float) -> Gaussian:
        num_dimensions = len(self.scale_A)
        mean_NA, log_std_NA = outputs_NV[:, :num_dimensions], outputs_NV[:, num_dimensions:]
        if log_std_NA.shape[-1]:
            std_NA = log_std_NA.clamp(*LOG_STD_RANGE).exp()
        else:
            std_NA = self.scale_A.to(mean_NA.device).expand_as(mean_NA)
        # a density raised to 1/temperature is again a Gaussian, of variance times temperature
        return Gaussian(mean_NA, std_NA * (temperature or 1.0) ** 0.5)


class Gaussian:
    """Independent normal distributions: means and standard deviations, both (N, A)."""

    def __init__(self, mean_NA: Tensor, std_NA: Tensor) -> None:
        self.mean_NA, self.std_NA = mean_NA, std_NA

    def most_likely(self) -> Tensor:
        return self.mean_NA

    def draw(self, seeds: Sequence[int]) -> Tensor:
        width = self.mean_NA.shape[-1]
        return self.mean_NA + self.std_NA * _noise(seeds, lambda generator: torch.randn(width, generator=generator))

    def log_probs(self, actions_NA: Tensor) -> Tensor:
        distance_NA = (actions_NA - self.mean_NA) / self.std_NA
        return -(distance_NA.square() / 2 + self.std_NA.log() + LOG_SQRT_TAU).sum(-1)

    def entropy(self) -> Tensor:
        return (0.5 + self.std_NA.log() + LOG_SQRT_TAU).sum(-1)

    def uniform_log_probs(self) -> Tensor:
        raise ConfigError("label_smoothing_factor", "> 0", "continuous actions have no uniform target; set it to 0")

    def all_log_probs(self) -> Tensor:
        raise ConfigError("hindsight", "a teacher", "continuous actions cannot be counted; use discrete ones")


def _noise(seeds: Sequence[int], row: Callable[[torch.Generator], Tensor]) -> Tensor:
    """Draw a row of random numbers from each seed, (N, …)."""
    generator = torch.Generator()
    return torch.stack([row(generator.manual_seed(seed)) for seed in seeds])
