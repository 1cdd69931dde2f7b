"""Options of the methods that change the response."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from backsight.settings import Settings

Weight = Annotated[float, Field(ge=0)]


class ReviseConfig(Settings):
    """Answers are given again with what was revealed, and learnt as if nothing had been (STaR, RLTF, Critique-GRPO)."""

    name: Literal["revise"] = "revise"
    mode: Literal["rationalise", "feedback", "critique"] = "feedback"
    """`rationalise` imitates what is right (STaR); `feedback` and `critique` reinforce what earned more than attempts
    did (RLTF), or than attempts and revisions together (Critique-GRPO)."""
    outcome_weight: Weight = 1.0
    """Of the policy gradient on what was sampled; STaR has none."""
    weight: Weight = 1.0
    """Of the rows that the method adds."""
    max_revisions: Annotated[int, Field(ge=1)] | None = None
    """Attempts of a group that are revised, the failed ones first; None: all of which something was revealed."""
    template: str = "{hint}\n{prompt}"
    """The prompt of a revision; of chat messages, the last one of the user."""
    introduce: bool = True
    """Say in words what kind of hint it is; without, the hint is the bare text."""


class GoldAnchorConfig(Settings):
    """A group in which all failed is joined by the gold answer (GCPO)."""

    name: Literal["gold_anchor"] = "gold_anchor"
    gold_reward: float = 1.0
    """What the gold answer earns."""
    shaping: Annotated[float, Field(gt=0)] | None = None
    """γ of the gradient of A·π/(π + γ) in place of A·log π; None: the latter, which moves unlikely tokens as well."""


class SupervisedConfig(Settings):
    """Imitate the gold answers; nothing is sampled."""

    name: Literal["supervised"] = "supervised"


class RecordedConfig(Settings):
    """Learn from logs: turns that were rewarded, corrected or commented on. Nothing is sampled."""

    name: Literal["recorded"] = "recorded"
    reward_weight: Weight = 1.0
    """Of the policy gradient on turns with a reward."""
    correction_weight: Weight = 1.0
    """Of the imitation of corrections."""
    distill_weight: Weight = 0.0
    """Of the divergence from a teacher that has read the feedback, on turns with feedback in words."""
    shaping: Annotated[float, Field(gt=0)] | None = 0.1
    """γ of the gradient of A·π/(π + γ) in place of A·log π; None: the latter, which has no end for bad turns."""
    template: str = "{hint}\n{prompt}"
    """The teacher's prompt; of chat messages, the last one of the user."""
    introduce: bool = True
    """Say in words what kind of hint it is; without, the hint is the bare text."""


ResponseConfigs = ReviseConfig | GoldAnchorConfig | SupervisedConfig | RecordedConfig
