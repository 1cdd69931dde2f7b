"""Several methods as one: a chain, and a switch that sends each attempt to one of two.

A chain is sequence and union at once: each member revalues what the next ones see, and what they make is learnt
together.
`[outcome, relabel]` is HiR's union; `[rescore, relabel]` judges anew first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from backsight.errors import ConfigError
from backsight.hindsight.base import Hindsight, Scorer
from backsight.types import Example, Group, Trajectory

Predicate = Callable[[Trajectory], bool]


class _Several(Hindsight):
    """What holds for any number of methods together."""

    def __init__(self, members: Sequence[Hindsight]) -> None:
        if len({member.needs_rollouts for member in members}) > 1:
            names = ", ".join(type(member).__name__ for member in members)
            raise ConfigError("hindsight", names, "some learn from attempts and some without; choose one kind")
        self.members = list(members)
        self.needs_rollouts = all(member.needs_rollouts for member in members)
        self.needs_teacher = any(member.needs_teacher for member in members)

    def fit(self, groups: Sequence[Group], scorer: Scorer) -> None:
        for member in self.members:
            member.fit(groups, scorer)

    def state(self) -> Mapping[str, Tensor]:
        return {
            f"{index}.{key}": value for index, each in enumerate(self.members) for key, value in each.state().items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for index, member in enumerate(self.members):
            prefix = f"{index}."
            member.load_state({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})


class Chain(_Several):
    """All of them, in this order. What was sampled is reinforced once, with the largest of their weights."""

    def __init__(self, members: Sequence[Hindsight]) -> None:
        """Raises `ConfigError` when there is none, or some sample and some do not."""
        if not members:
            raise ConfigError("hindsight", "[]", "name at least one method")
        super().__init__(members)
        self.outcome_weight = max(member.outcome_weight for member in members)

    def revalue(self, groups: Sequence[Group], scorer: Scorer) -> Sequence[Group]:
        for member in self.members:
            groups = member.revalue(groups, scorer)
        return groups

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        return [example for member in self.members for example in member.examples(groups, scorer)]


class Route(_Several):
    """Attempts for which `predicate` holds are learnt by one method, the others by another.

    Both see whole groups, siblings included, and of what they make is kept what concerns the attempts that are theirs.
    An attempt of which `otherwise` can make nothing falls to `then`, so that none is lost. SRPO (arXiv:2604.02288) is
    `Route(succeeded, Outcome(), SelfDistill())`.
    """

    def __init__(self, predicate: Predicate, then: Hindsight, otherwise: Hindsight) -> None:
        super().__init__([then, otherwise])
        self.predicate, self.then, self.otherwise = predicate, then, otherwise

    def sampled(self, groups: Sequence[Group]) -> list[Example]:
        return []  # each branch brings its own

    def examples(self, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
        others = _all_of(self.otherwise, groups, scorer)
        taken = {id(each.trajectory) for each in others if each.trajectory is not None}
        kept = [each for each in others if each.trajectory is None or not self.predicate(each.trajectory)]
        return kept + [
            each
            for each in _all_of(self.then, groups, scorer)
            if each.trajectory is None or self.predicate(each.trajectory) or id(each.trajectory) not in taken
        ]


def _all_of(method: Hindsight, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
    groups = method.revalue(groups, scorer)
    return [*method.sampled(groups), *method.examples(groups, scorer)]


def succeeded(trajectory: Trajectory) -> bool:
    """Success as it was revealed; where nobody said, a reward above zero."""
    success = trajectory.feedback.success
    return sum(trajectory.rewards) > 0 if success is None else success
