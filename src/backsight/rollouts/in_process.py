"""Engines that act in this process, with the learner's own weights or with a copy of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, Self, TypeVar

import torch

from backsight.policies.base import Policy, trained_weights
from backsight.profiling import Profile
from backsight.rollouts.base import Capability
from backsight.rollouts.bounds import coarsest
from backsight.types import Action, Observation, Sampling

PolicyT = TypeVar("PolicyT", bound=Policy)


class InProcessEngine(Generic[PolicyT]):
    """An engine that acts with the weights of `policy`: the learner itself, or a copy that stays as it was loaded."""

    capabilities: frozenset[Capability] = frozenset({"act as"})

    def __init__(self, policy: PolicyT, profile: Profile) -> None:
        self.policy, self.profile = policy, profile
        self._other: Self | None = None
        """Engine of another policy, kept because making an engine takes a while."""

    @property
    def dtype(self) -> torch.dtype:
        return coarsest(weight.dtype for weight in self.policy.module.parameters())

    def try_out(self) -> None:
        """Try now what else is tried when the engine first acts: once its weights are shared out, it is too late."""

    @torch.no_grad()
    def load_weights(self, policy: Policy) -> None:
        if policy.module is self.policy.module:
            return
        pairs = list(zip(*(trained_weights(each.module).values() for each in (self.policy, policy)), strict=True))
        if pairs[0][0].dtype != pairs[0][1].dtype:  # a base in four bits refuses even a change to the type it has
            self.policy.module.to(pairs[0][1].dtype)
        for own, new in pairs:
            own.copy_(new)

    def acting_as(self, policy: Policy) -> Self:
        assert isinstance(policy, type(self.policy))
        if policy is self.policy:
            return self
        if self._other is None or self._other.policy is not policy:
            self._other = type(self)(policy, self.profile)
        return self._other


class ActingPolicy(Policy, Protocol):
    """A policy that chooses actions itself, in one forward pass."""

    profile: Profile

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterable[tuple[int, Action]]: ...


class DirectEngine(InProcessEngine[ActingPolicy]):
    """An engine for classifiers and modules."""

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterable[tuple[int, Action]]:
        return self.policy.act(observations, sampling, seeds)
