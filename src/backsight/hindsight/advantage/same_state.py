"""Steps of siblings that observed the same: how they are found, and how they are compared.

N all steps of a group, K different keys, S the steps of a trajectory.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from backsight.rounding import EQUAL
from backsight.types import Observation, PartialCompletion

EPSILON = 1e-6
"""Number that is added to a standard deviation."""


def state_key(observation: Observation) -> Hashable:
    """Return a key that equal observations share: text, chat messages, or arrays that agree to the last bit."""
    match observation:
        case str():
            return observation
        case np.ndarray():
            return observation.dtype.str, observation.shape, observation.tobytes()
        case PartialCompletion(prompt, tokens):
            return state_key(prompt), tokens
        case _:
            return json.dumps(observation, sort_keys=True, default=repr)


def relative_to_state(keys: Sequence[Sequence[Hashable]], values: Sequence[Tensor], scaled: bool) -> list[Tensor]:
    """Return how far the value of each step lies above the mean of those with its key, (S,) for each trajectory.

    `scaled` divides by their standard deviation (of the sample, as GiGPO's code does). A step that is alone with its
    key, or among equals, gets 0: it has nothing to be compared with.
    """
    if not values:
        return []
    numbers: dict[Hashable, int] = {}
    keys_N = torch.tensor([numbers.setdefault(key, len(numbers)) for own in keys for key in own], dtype=torch.long)
    values_N = torch.cat(list(values)).double()  # in float32 the mean of equal numbers may differ from them
    counts_K = torch.bincount(keys_N, minlength=len(numbers))

    def mean_N(of_N: Tensor) -> Tensor:
        return (torch.zeros(len(numbers), dtype=torch.float64).index_add(0, keys_N, of_N) / counts_K)[keys_N]

    def most_N(of_N: Tensor) -> Tensor:
        lowest_K = torch.full((len(numbers),), -torch.inf, dtype=torch.float64)
        return lowest_K.scatter_reduce(0, keys_N, of_N, "amax")[keys_N]

    differ_N = most_N(values_N) + most_N(-values_N) > EQUAL * most_N(values_N.abs())
    above_N = (values_N - mean_N(values_N)).where(differ_N, 0.0)
    if scaled:
        counts_N = counts_K[keys_N]
        variance_N = mean_N(above_N.square()) * counts_N / (counts_N - 1).clamp(min=1)
        above_N = above_N / (variance_N.sqrt() + EPSILON)
    return list(torch.split(above_N.float(), [len(own) for own in keys]))
