"""All hindsight methods by name, and the options of combined methods.

A method's name is that of its options; the method itself is imported when it is built. Packages add methods of their
own by entry points ``backsight.methods``, each a class of options (see `backsight.registry`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, SerializeAsAny, model_validator

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import ADVANTAGE
from backsight.hindsight.options import MethodOptions, OutcomeOptions, name_of
from backsight.hindsight.prompt.options import PROMPT
from backsight.hindsight.response.options import RESPONSE
from backsight.hindsight.reward.options import REWARD
from backsight.hindsight.target.options import TARGET
from backsight.registry import Registry
from backsight.settings import ByName

if TYPE_CHECKING:
    from backsight.hindsight.base import Hindsight

PLACES: Mapping[str, tuple[type[MethodOptions], ...]] = {
    "none": (OutcomeOptions,),
    "reward": REWARD,
    "prompt": PROMPT,
    "response": RESPONSE,
    "advantage": ADVANTAGE,
    "target": TARGET,
}
"""Options of the methods, by the place in which what was revealed enters an update; `none` is the control."""


METHODS: Registry[type[MethodOptions]] = Registry(
    "backsight.methods",
    "hindsight",
    {
        **{name_of(options): options for methods in PLACES.values() for options in methods},
        "route": "backsight.hindsight.catalogue:RouteOptions",
        "chain": "backsight.hindsight.catalogue:ChainOptions",
    },
    together="chain",
)


def place_of(method: str) -> str:
    """Return the place in which a method uses what was revealed; `none` for the control and for methods of others."""
    return next((place for place, own in PLACES.items() if method in map(name_of, own)), "none")


HindsightOptions = Annotated[SerializeAsAny[MethodOptions], ByName(METHODS)]
"""Type of a settings field that holds the options of one method, or of several combined."""


class RouteOptions(MethodOptions):
    """Attempts that succeeded are learnt by one method, the others by another."""

    routes = True
    name: Literal["route"] = "route"
    then: HindsightOptions
    """The method for successes."""
    otherwise: HindsightOptions
    """The method for failures. A failure of which it makes no row goes to `then`."""

    @property
    def label(self) -> str:
        return f"{self.then.label}-or-{self.otherwise.label}"

    @property
    def needs_gold_answers(self) -> bool:
        return self.then.needs_gold_answers or self.otherwise.needs_gold_answers

    @property
    def needs_teacher(self) -> bool:
        return self.then.needs_teacher or self.otherwise.needs_teacher

    @property
    def learns_from_attempts(self) -> bool:
        return self.then.learns_from_attempts  # the other is of the same kind

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0  # each branch brings its own rows

    def build(self) -> Hindsight[MethodOptions]:
        from backsight.hindsight.composition import Route

        return Route(self.then.build(), self.otherwise.build())

    @model_validator(mode="after")
    def _both_sample(self) -> RouteOptions:
        _check_one_kind((self.then, self.otherwise))
        return self


class ChainOptions(MethodOptions):
    """Several methods: each sees what those before it made of the groups, and all their rows are learnt together."""

    name: Literal["chain"] = "chain"
    methods: Annotated[tuple[HindsightOptions, ...], Field(min_length=1, strict=False)]
    """The methods in their order; `hindsight=[outcome, relabel]` is short for it."""

    @property
    def label(self) -> str:
        return "+".join(each.label for each in self.methods)

    @property
    def needs_gold_answers(self) -> bool:
        return any(each.needs_gold_answers for each in self.methods)

    @property
    def needs_teacher(self) -> bool:
        return any(each.needs_teacher for each in self.methods)

    @property
    def learns_from_attempts(self) -> bool:
        return self.methods[0].learns_from_attempts

    @property
    def policy_gradient_weight(self) -> float:
        # beside a route, which chooses what is reinforced, what only changes rewards or advantages has no say in that
        is_routed = any(each.routes for each in self.methods)
        return max(each.policy_gradient_weight for each in self.methods if not (is_routed and each.changes))

    def build(self) -> Hindsight[MethodOptions]:
        from backsight.hindsight.composition import Chain

        return Chain([each.build() for each in self.methods])

    @model_validator(mode="after")
    def _all_or_none_sample(self) -> ChainOptions:
        _check_one_kind(self.methods)
        return self

    @model_validator(mode="after")
    def _none_is_undone(self) -> ChainOptions:
        for place, later in enumerate(self.methods):
            for earlier in self.methods[:place]:
                if lost := later.replaces & earlier.changes:
                    what = f"{later.label} computes the {' and '.join(sorted(lost))} anew that {earlier.label} changed"
                    is_cured = not earlier.replaces & later.changes
                    remedy = f"put {later.label} before {earlier.label}" if is_cured else "choose one of them"
                    raise ConfigError("hindsight", self.label, f"{what}; {remedy}")
        return self


def _check_one_kind(methods: Sequence[MethodOptions]) -> None:
    if len({each.learns_from_attempts for each in methods}) > 1:
        names = ", ".join(each.label for each in methods)
        raise ConfigError("hindsight", names, "some learn from attempts and some without; choose one kind")
