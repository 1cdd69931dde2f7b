"""Options of the methods that change the prompt."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from backsight.hindsight.options import Count, OutcomeWeightOptions, Positive, Weight

AtLeastTwo = Annotated[int, Field(ge=2)]


class RelabelOptions(OutcomeWeightOptions):
    """An attempt is imitated as a success at what it achieved (HER, HiR)."""

    method: ClassVar[str] = "relabel:Relabel"
    name: Literal["relabel"] = "relabel"
    outcome_weight: Weight = 1.0
    """Weight of the policy gradient on what was asked; 0 leaves imitation alone, as in HIR."""
    imitation_weight: Weight = 1.0
    """Weight of the replays: what was done, under the prompt that asks for what it achieved."""
    max_replays: Count | None = None
    """Number of attempts of a group that are replayed; None replays all. HiR replays 2 of 6."""
    strategy: Literal["final", "future", "episode"] = "final"
    """Which achieved goals are replayed: that of the end, or some that were achieved on the way, as HER draws them."""
    num_goals: Count = 4
    """Number of goals that the strategies `future` and `episode` draw of an episode."""
    selection: Literal["share", "hir"] = "share"
    """Which attempts go first: those that achieved most of what was asked, or HiR's mix of surprise and share."""
    reinforce_replays: bool = False
    """Whether replays enter the policy gradient instead, with the advantage of a success in their group, as in HiR."""
    correction_cap: Positive | None = None
    """Cap of the weight π(y|x')/π(y|x) of a replayed decision, usually 2; None weighs all with 1, as the published
    methods do."""


class HIROptions(OutcomeWeightOptions):
    """An attempt is imitated under the instruction that it is right for, in contrast to those of its siblings (HIR)."""

    method: ClassVar[str] = "hir:HIR"
    name: Literal["hir"] = "hir"
    imitation_weight: Weight = 1.0
    """Weight of imitation under the relabelled instruction."""
    contrastive_weight: Weight = 1.0
    """α: weight of the loss that tells an attempt's own relabelled instruction from those of its siblings."""
    sub_output: bool = True
    """Whether a random slice of each attempt is imitated once more."""
    right: str = ""
    """Text before the prompt of a success. It is empty, so that successes are learnt under what is asked later."""
    wrong: str = "With a wrong answer: "
    """Text before the prompt of a failure of which nobody knows what it achieved."""


class ConditionOptions(OutcomeWeightOptions):
    """An attempt is imitated under a tag that says how good it was (Quark)."""

    method: ClassVar[str] = "condition:Condition"
    name: Literal["condition"] = "condition"
    imitation_weight: Weight = 1.0
    """Weight of imitation under the tag."""
    quantiles: AtLeastTwo = 5
    """K: number of parts of about the same size into which the rewards of the pool are cut."""
    pool_size: AtLeastTwo = 10_000
    """Number of the newest rewards with which an attempt's reward is compared."""
    tag: str = "Quality {quantile}: "
    """Text before the prompt, with a number from 1, the worst, to K - 1. The best quantile is imitated without it."""


class CommandOptions(OutcomeWeightOptions):
    """The best episodes so far are imitated under the commands that they fulfilled (upside-down learning)."""

    method: ClassVar[str] = "command:Command"
    name: Literal["command"] = "command"
    imitation_weight: Weight = 1.0
    """Weight of the imitation of the memory."""
    memory: Count = 25
    """M: number of episodes with the highest return that are remembered."""


class ChainOfHindsightOptions(OutcomeWeightOptions):
    """A good attempt is imitated behind a worse one, and the prompt says which is which (CoH)."""

    method: ClassVar[str] = "chain_of_hindsight:ChainOfHindsight"
    name: Literal["chain_of_hindsight"] = "chain_of_hindsight"
    imitation_weight: Weight = 1.0
    """Weight of the good attempt behind the worse one."""
    plain_weight: Weight = 1.0
    """Weight of the good attempt under the prompt as it is asked."""
    worse: str = " An unhelpful answer: "
    """Text that introduces the worse attempt, behind the prompt."""
    better: str = " A helpful answer:"
    """Text that introduces the good attempt."""


PROMPT = (RelabelOptions, HIROptions, ConditionOptions, CommandOptions, ChainOfHindsightOptions)
