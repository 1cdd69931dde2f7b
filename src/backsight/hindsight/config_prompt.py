"""Options of the methods that change the prompt."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings

Weight = Annotated[float, Field(ge=0)]


class RelabelConfig(Settings):
    """An attempt is imitated as a success at what it achieved (HER, HiR)."""

    name: Literal["relabel"] = "relabel"
    outcome_weight: Weight = 1.0
    """Of the policy gradient on what was asked; 0 leaves imitation alone, as in HIR."""
    imitation_weight: Weight = 1.0
    """Of the replays: what was achieved, as a prompt, with what was done."""
    max_replays: Annotated[int, Field(ge=1)] | None = None
    """Attempts of a group that are replayed; None: all. HiR replays 2 of 6."""
    strategy: Literal["final", "future", "episode"] = "final"
    """Which achieved goals: that of the end, or some that were achieved on the way, as HER draws them."""
    num_goals: Annotated[int, Field(ge=1)] = 4
    """Goals drawn of an episode by the strategies `future` and `episode`."""
    selection: Literal["share", "hir"] = "share"
    """Which attempts go first: those that achieved most of what was asked, or HiR's mix of surprise and share."""
    reinforce_replays: bool = False
    """Replays enter the policy gradient instead, with the advantage of a success in their group, as in HiR."""
    correction_cap: Annotated[float, Field(gt=0)] | None = None
    """Weigh each decision with min(π(y|x')/π(y|x), this), usually 2; None: with 1, as the published methods do."""


class HIRConfig(Settings):
    """An attempt is imitated under the instruction it is right for, and told apart from those of its siblings (HIR)."""

    name: Literal["hir"] = "hir"
    outcome_weight: Weight = 0.0
    """Of the policy gradient on what was sampled; HIR has none."""
    imitation_weight: Weight = 1.0
    """Of imitation under the relabelled instruction."""
    contrastive_weight: Weight = 1.0
    """α, of the loss that tells an attempt's own relabelled instruction from those of its siblings."""
    sub_output: bool = True
    """Imitate a random slice of each attempt once more."""
    right: str = ""
    """Put before the prompt of a success. Empty, so that what is asked later is what successes were learnt under."""
    wrong: str = "With a wrong answer: "
    """Put before the prompt of a failure of which nobody knows what it achieved."""


class ConditionConfig(Settings):
    """An attempt is imitated under a tag that says how good it was (Quark)."""

    name: Literal["condition"] = "condition"
    outcome_weight: Weight = 0.0
    """Of the policy gradient on what was sampled; Quark has none."""
    imitation_weight: Weight = 1.0
    """Of imitation under the tag."""
    quantiles: Annotated[int, Field(ge=2)] = 5
    """K, the parts of about the same size into which the rewards of the pool are cut."""
    pool_size: Annotated[int, Field(ge=2)] = 10_000
    """Rewards, the newest ones, with which an attempt's is compared."""
    tag: str = "Quality {quantile}: "
    """Put before the prompt, with a number from 1, the worst, to K - 1. The best ones are imitated without a tag."""


class CommandConfig(Settings):
    """The best episodes so far are imitated under the commands that they fulfilled (upside-down learning)."""

    name: Literal["command"] = "command"
    outcome_weight: Weight = 0.0
    """Of the policy gradient on what was sampled."""
    imitation_weight: Weight = 1.0
    """Of the imitation of the memory."""
    memory: Annotated[int, Field(ge=1)] = 25
    """M, the episodes with the highest return that are remembered."""


class ChainOfHindsightConfig(Settings):
    """A good attempt is imitated behind a worse one that is called so (CoH)."""

    name: Literal["chain_of_hindsight"] = "chain_of_hindsight"
    outcome_weight: Weight = 0.0
    """Of the policy gradient on what was sampled; CoH has none."""
    imitation_weight: Weight = 1.0
    """Of the good attempt behind the worse one."""
    plain_weight: Weight = 1.0
    """Of the good attempt under the prompt as it is asked."""
    worse: str = " An unhelpful answer: "
    """Introduces the worse attempt, behind the prompt."""
    better: str = " A helpful answer:"
    """Introduces the good one."""


PromptConfigs = RelabelConfig | HIRConfig | ConditionConfig | CommandConfig | ChainOfHindsightConfig
