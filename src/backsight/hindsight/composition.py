"""Combined methods: `chain`, which applies all of its members, and `route`, which sends each attempt to one of two.

In a chain each member sees the groups as those before it left them, and the rows of all members are learnt together.
`[outcome, relabel]` is HiR's union; `[rescore, relabel]` first judges anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from backsight.hindsight.base import Hindsight, LookBack, OptionsT, Scorer, policy_gradient_rows
from backsight.hindsight.catalogue import ChainOptions, RouteOptions
from backsight.hindsight.options import MethodOptions
from backsight.types import Example, Group

AnyMethod = Hindsight[MethodOptions]


class _Several(Hindsight[OptionsT]):
    """Common base of the combined methods: their members, and the state of these."""

    def __init__(self, options: OptionsT, members: Sequence[AnyMethod]) -> None:
        super().__init__(options)
        self.members = list(members)

    def state(self) -> Mapping[str, Tensor]:
        return {
            f"{index}.{key}": value for index, each in enumerate(self.members) for key, value in each.state().items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        for index, member in enumerate(self.members):
            prefix = f"{index}."
            member.load_state({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})


class Chain(_Several[ChainOptions]):
    """Method that applies all members in their order.

    What was sampled is reinforced once, with the largest of the members' weights. Where a member is a route, which
    chooses what is reinforced, members that only change rewards or advantages do not count for that.
    """

    def __init__(self, members: Sequence[AnyMethod]) -> None:
        """Join the members.

        Raises:
            ConfigError: when there is no member, or some learn from sampled attempts and some do not.
        """
        super().__init__(ChainOptions(methods=tuple(each.options for each in members)), members)

    @property
    def policy_gradient_weight(self) -> float:
        pausing = [each for each in self.members if each.options.policy_gradient_weight == 0]
        return super().policy_gradient_weight or max((each.policy_gradient_weight for each in pausing), default=0.0)

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        rows: list[Example] = []
        for member in self.members:
            groups, own = member.look_at(groups, scorer)
            rows += own
        return LookBack(groups, rows)


class Route(_Several[RouteOptions]):
    """Method that has attempts that succeeded learnt by `then`, and the others by `otherwise`.

    Both methods see whole groups, siblings included; of their rows, those are kept that concern their own attempts. An
    attempt of which `otherwise` makes no row goes to `then`, so that none is lost.
    """

    def __init__(self, then: AnyMethod, otherwise: AnyMethod) -> None:
        """Join the two methods.

        Raises:
            ConfigError: when one learns from sampled attempts and the other does not.
        """
        super().__init__(RouteOptions(then=then.options, otherwise=otherwise.options), [then, otherwise])

    def reconsider(self, groups: Sequence[Group], scorer: Scorer) -> LookBack:
        then, otherwise = self.members
        others = _rows_of(otherwise, groups, scorer)
        taken = {each.trajectory.key for each in others if each.trajectory is not None}
        kept = [each for each in others if each.trajectory is None or not each.trajectory.succeeded]
        kept += [
            each
            for each in _rows_of(then, groups, scorer)
            if each.trajectory is None or each.trajectory.succeeded or each.trajectory.key not in taken
        ]
        return LookBack(groups, kept)


def _rows_of(method: AnyMethod, groups: Sequence[Group], scorer: Scorer) -> list[Example]:
    groups, rows = method.look_at(groups, scorer)
    return [*policy_gradient_rows(groups, method.policy_gradient_weight), *rows]
