"""What a hindsight method is: finished groups in, examples out.

A method overrides one of two halves. `revalue` is for what enters at the reward or the advantage: it returns the same
groups with other rewards or advantages. `examples` is for what enters at the prompt, the response or the target: it
returns rows of its own, beside the policy gradient on what was sampled, which every method has with `outcome_weight`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from backsight.types import Action, ActionValue, Example, Group, Observation, Trajectory

Exchange = tuple[tuple[Observation, ...], tuple[ActionValue, ...]]
"""Prompts (S,) and the responses to them (S,)."""


class Scorer(Protocol):
    """All that a method may ask. Nothing of it carries a gradient."""

    def encode(self, text: str) -> ActionValue:
        """A response nobody sampled, as the policy would have had to act it."""
        ...

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        """Whether each of them leaves room for a completion, or for this response: what was revealed may be long."""
        ...

    def log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        """(T,) for each: what the policy gives to responses under prompts of any kind, sampling settings included."""
        ...

    def teacher_log_probs(self, exchanges: Sequence[Exchange]) -> list[Tensor]:
        """The same by the teacher, the frozen or averaged copy of the policy."""
        ...

    def sample(self, prompts: Sequence[Observation]) -> list[Action]:
        """One fresh action of the policy for each prompt."""
        ...

    def judge(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        """The same trajectories with the feedback of the run's own source."""
        ...

    def estimate(self, groups: Sequence[Group]) -> list[Group]:
        """The same groups with the advantages of the run's estimator, from the rewards they have now."""
        ...


class Hindsight:
    """Turns finished trajectories into training examples."""

    needs_rollouts: bool = True
    """False: the method learns from the start of a group alone, and nothing is sampled for it."""
    needs_teacher: bool = False
    """Whether it asks for `teacher_log_probs`, or its examples have a teacher."""
    outcome_weight: float = 1.0
    """Of the policy gradient on what was sampled; 0 leaves it out."""

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        """Learn something of its own from the groups of a step, before they are looked at."""

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        """The same groups, of which it thinks differently now."""
        return groups

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """Rows of its own."""
        return []

    def sampled(self, groups: Sequence[Group]) -> list[Example]:
        """The policy gradient on what was sampled, with the advantages that the groups have now."""
        return sampled_examples(groups, self.outcome_weight)

    def __call__(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """All of it in this order, as the trainer does it."""
        self.fit(groups, scorer)
        return self.lessons(self.revalue(groups, scorer), scorer)

    def lessons(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        """What there is to learn from revalued groups."""
        return merged([*self.sampled(groups), *self.examples(groups, scorer)])

    def state(self) -> Mapping[str, Tensor]:
        """What it has learnt, for a checkpoint."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""


def sampled_examples(groups: Sequence[Group], weight: float) -> list[Example]:
    if weight == 0:
        return []
    return [
        on_policy_example(trajectory, advantages_T, weight)
        for group in groups
        for trajectory, advantages_T in zip(group.trajectories, group.advantages, strict=True)
    ]


def behaviour_log_probs(trajectory: Trajectory) -> Tensor:
    """(T,) what its decisions were sampled with."""
    return torch.cat([step.action.log_probs for step in trajectory.steps])


def on_policy_example(trajectory: Trajectory, advantages_T: Tensor, weight: float = 1.0) -> Example:
    """A trajectory as it was sampled."""
    return Example(
        prompts=trajectory.prompts,
        responses=trajectory.responses,
        method="outcome",
        advantages=advantages_T,
        behaviour_log_probs=behaviour_log_probs(trajectory),
        weight=weight,
        trajectory=trajectory,
    )


def per_decision(values_S: Tensor | Sequence[float], trajectory: Trajectory) -> Tensor:
    """(T,) every decision of a step gets the value of the step."""
    counts_S = torch.tensor([len(step.action.log_probs) for step in trajectory.steps])
    return torch.as_tensor(values_S, dtype=torch.float32).repeat_interleave(counts_S)


def imitated_example(
    prompts: tuple[Observation, ...],
    responses: tuple[ActionValue, ...],
    method: str,
    weight: float = 1.0,
    trajectory: Trajectory | None = None,
) -> Example:
    """Responses that nobody sampled under these prompts, to be made more likely: an off-policy row."""
    num_decisions = sum(1 if not isinstance(each, tuple) else len(each) for each in responses)
    return Example(
        prompts=prompts,
        responses=responses,
        method=method,
        imitation_weights=torch.ones(num_decisions),
        weight=weight,
        trajectory=trajectory,
    )


def merged(examples: Sequence[Example]) -> list[Example]:
    """Rows of the same attempt under the same prompts become one where they want different things: one forward pass."""
    kept: dict[tuple[int, int, int], Example] = {}
    for number, example in enumerate(examples):
        key = (id(example.trajectory), id(example.prompts[0]), id(example.responses[0]))
        if example.trajectory is None:
            key = (number, 0, 0)
        other = kept.get(key)
        if other is not None and (both := _united(other, example)) is not None:
            kept[key] = both
        else:
            kept[key if other is None else (number, 0, 0)] = example
    return list(kept.values())


def _united(one: Example, two: Example) -> Example | None:
    """One row for both; None when they want the same part of the loss, or do not hold the same decisions."""
    if len(one.prompts) != len(two.prompts) or any(a is not b for a, b in zip(one.prompts, two.prompts, strict=True)):
        return None
    if one.num_decisions != two.num_decisions or one.shaping != two.shaping:
        return None
    if any(mine is not None and other is not None for mine, other in zip(_parts(one), _parts(two), strict=True)):
        return None
    advantages, imitation_weights, teacher_weights = (
        mine if mine is not None else other for mine, other in zip(_parts(one), _parts(two), strict=True)
    )
    return replace(
        one,
        advantages=advantages,
        imitation_weights=imitation_weights,
        teacher_weights=teacher_weights,
        method=one.method if one.method == two.method else f"{one.method}+{two.method}",
        behaviour_log_probs=one.behaviour_log_probs if one.behaviour_log_probs is not None else two.behaviour_log_probs,
        teacher_prompts=one.teacher_prompts or two.teacher_prompts,
        weight=1.0,
    )


def _parts(example: Example) -> list[Tensor | None]:
    """Advantages, imitation weights and teacher weights, with the weight of the example in them."""
    parts = (example.advantages, example.imitation_weights, example.teacher_weights)
    return [None if each is None else each * example.weight for each in parts]
