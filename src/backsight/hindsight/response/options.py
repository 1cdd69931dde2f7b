"""Options of the methods that change the response."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from backsight.errors import ConfigError
from backsight.hindsight.options import (
    ADVANTAGES,
    Count,
    HintOptions,
    MethodOptions,
    OutcomeWeightOptions,
    Positive,
    Weight,
)


class ReviseOptions(OutcomeWeightOptions, HintOptions):
    """Answers are given again with what was revealed, and learnt as if nothing had been (STaR, RLTF, Critique-GRPO)."""

    method: ClassVar[str] = "revise:Revise"
    name: Literal["revise"] = "revise"
    mode: Literal["rationalise", "feedback", "critique"] = "feedback"
    """What is learnt: `rationalise` imitates what is right (STaR); `feedback` and `critique` reinforce what earned more
    than the attempts did (RLTF), or than attempts and revisions together (Critique-GRPO)."""
    outcome_weight: Weight = 1.0
    """Weight of the policy gradient on what was sampled; STaR has none."""
    weight: Weight = 1.0
    """Weight of the rows that the method adds."""
    max_revisions: Count | None = None
    """Number of attempts of a group that are revised, the failed ones first; None revises all of which something was
    revealed."""


class GoldAnchorOptions(MethodOptions):
    """A group in which all failed is joined by the gold answer (GCPO)."""

    method: ClassVar[str] = "gold_anchor:GoldAnchor"
    changes = ADVANTAGES
    replaces = ADVANTAGES
    name: Literal["gold_anchor"] = "gold_anchor"
    gold_reward: float = 1.0
    """Reward of the gold answer."""
    shaping: Positive | None = None
    """γ of the gradient of A·π/(π + γ) in place of A·log π; None takes the latter, which moves unlikely tokens too."""


class CorrectOptions(OutcomeWeightOptions):
    """Attempts that were corrected are learnt as they should have been (DAgger)."""

    method: ClassVar[str] = "correct:Correct"
    name: Literal["correct"] = "correct"
    imitation_weight: Weight = 1.0
    """Weight of the imitation of corrections."""


class SupervisedOptions(MethodOptions):
    """The gold answers are imitated; nothing is sampled."""

    method: ClassVar[str] = "supervised:Supervised"
    name: Literal["supervised"] = "supervised"

    @property
    def needs_gold_answers(self) -> bool:
        return True

    @property
    def learns_from_attempts(self) -> bool:
        return False

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0


class RecordedOptions(HintOptions):
    """Turns in logs that were rewarded, corrected or commented on are learnt; nothing is sampled."""

    method: ClassVar[str] = "recorded:Recorded"
    name: Literal["recorded"] = "recorded"
    reward_weight: Weight = 1.0
    """Weight of the policy gradient on turns with a reward."""
    correction_weight: Weight = 1.0
    """Weight of the imitation of corrections."""
    distill_weight: Weight = 0.0
    """Weight of the divergence from a teacher that has read the feedback, on turns with feedback in words."""
    shaping: Positive | None = 0.1
    """γ of the gradient of A·π/(π + γ) in place of A·log π; None takes the latter, which has no bound for bad turns."""

    @property
    def needs_teacher(self) -> bool:
        return self.distill_weight > 0

    @property
    def learns_from_attempts(self) -> bool:
        return False

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0

    @model_validator(mode="after")
    def _learns_something(self) -> RecordedOptions:
        if self.reward_weight == self.correction_weight == self.distill_weight == 0:
            raise ConfigError(
                "hindsight", "all weights are 0", "raise reward_weight, correction_weight or distill_weight"
            )
        return self


RESPONSE = (ReviseOptions, GoldAnchorOptions, CorrectOptions, SupervisedOptions, RecordedOptions)
