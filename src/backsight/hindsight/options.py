"""Options that all methods or several of them have. Those of a single method stand in the `options.py` of its place.

Nothing here imports torch: help, completion and ``--dry-run`` read options without the methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from backsight.errors import ConfigError
from backsight.registry import load
from backsight.settings import Settings

if TYPE_CHECKING:
    from backsight.hindsight.base import Hindsight

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Part = Literal["rewards", "advantages"]
"""A part of the groups that a method may change."""
Whose = Literal["own", "other", "absent"]
"""The attempt that a hint is about: the one at hand, one at another prompt, or none."""

TEMPLATE = "{hint}\n{prompt}"
"""Default for a prompt with a hint, which comes first because prompts usually end with the cue for the answer."""


class MethodOptions(Settings):
    """Options of a hindsight method, whose `name` they hold."""

    method: ClassVar[str] = ""
    """Import path of the method, as ``"module:Class"``; the module is in the same folder as that of the options."""
    changes: ClassVar[frozenset[Part]] = frozenset()
    """Parts of the groups that hold what the method found out. Advantages that are estimated from changed rewards are
    no part of their own."""
    replaces: ClassVar[frozenset[Part]] = frozenset()
    """Parts of the groups that the method computes anew: what methods before it put there is lost."""
    routes: ClassVar[bool] = False
    """Whether the method itself brings rows of the policy gradient, for the attempts that it chooses."""
    name: str

    @property
    def learns_from_attempts(self) -> bool:
        """Whether episodes are sampled for the method; otherwise it learns from the starts of groups alone."""
        return True

    @property
    def label(self) -> str:
        """Name of the method in the names of run folders."""
        return self.name

    @property
    def needs_gold_answers(self) -> bool:
        """Whether every item to train on has to have a gold answer."""
        return False

    @property
    def needs_teacher(self) -> bool:
        """Whether the run keeps a teacher for the method."""
        return False

    @property
    def policy_gradient_weight(self) -> float:
        """Weight of the policy gradient on what was sampled; 0 leaves it out."""
        return 1.0

    def build(self) -> Hindsight[MethodOptions]:
        """Build the method with these options."""
        if not self.method:
            raise ConfigError("hindsight", self.name, "has no method; set `method` in its class, or write `build`")
        owner = next(each for each in type(self).__mro__ if "method" in vars(each))
        package, dot, _ = owner.__module__.rpartition(".")
        method: Hindsight[MethodOptions] = load(f"{package}{dot}{self.method}")(self)
        return method


REWARDS: frozenset[Part] = frozenset({"rewards"})
ADVANTAGES: frozenset[Part] = frozenset({"advantages"})


def name_of(options: type[MethodOptions]) -> str:
    """Return the name by which a method is chosen."""
    return str(options.model_fields["name"].default)


class OutcomeOptions(MethodOptions):
    """No hindsight: the advantages of the estimator alone. The control of every experiment."""

    method: ClassVar[str] = "base:Outcome"
    name: Literal["outcome"] = "outcome"


class OutcomeWeightOptions(MethodOptions):
    """Options of a method that makes rows of its own, beside or instead of the policy gradient."""

    outcome_weight: Weight = 0.0
    """Weight of the policy gradient on what was sampled; 0 learns from the method's own rows alone."""

    @property
    def policy_gradient_weight(self) -> float:
        return self.outcome_weight


class TaughtOptions(MethodOptions):
    """Options of a method that asks a teacher."""

    @property
    def needs_teacher(self) -> bool:
        return True


class TemplateOptions(MethodOptions):
    """Options of a method that puts what was revealed into a prompt."""

    template: str = TEMPLATE
    """Prompt that says what was revealed, with ``{prompt}`` and ``{hint}``; of chat messages, the user's last one is
    rewritten."""


class HintOptions(TemplateOptions):
    """Options of a method whose hints come from several sources."""

    introduce: bool = True
    """Whether a hint starts with words that say what kind of hint it is; without them it is the bare text."""


class InformedOptions(TaughtOptions, HintOptions):
    """Options of a method whose teacher is told what was revealed, or, in a control, something else."""

    hint: Whose = "own"
    """Hint that the teacher is told of an attempt: its `own`, or, as a control, that of an attempt at another prompt of
    the step (`other`), or none (`absent`), where there is one of its own."""

    @property
    def label(self) -> str:
        return self.name if self.hint == "own" else f"{self.name}-{self.hint}-hint"
