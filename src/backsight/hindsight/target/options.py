"""Options of the methods that change the target distribution."""

from __future__ import annotations

from typing import ClassVar, Literal

from backsight.hindsight.options import HintOptions, InformedOptions, OutcomeWeightOptions, Positive, TaughtOptions


class DistillOptions(InformedOptions):
    """Options of a method that learns from a teacher's distribution."""

    distill_weight: Positive = 1.0
    """Weight of the divergence from the teacher."""


class SelfDistillOptions(OutcomeWeightOptions, DistillOptions):
    """A teacher that knows what was revealed scores the policy's own attempts (SDPO, OPSD, SDFT)."""

    method: ClassVar[str] = "self_distill:SelfDistill"
    name: Literal["self_distill"] = "self_distill"
    where: Literal["everywhere", "failures", "less_likely"] = "everywhere"
    """Which tokens are taught: all, those of attempts that failed, or those that the teacher finds less likely."""


class SRPOOptions(DistillOptions):
    """Successes are reinforced, failures learn from the teacher (SRPO)."""

    method: ClassVar[str] = "srpo:SRPO"
    routes = True
    name: Literal["srpo"] = "srpo"

    @property
    def policy_gradient_weight(self) -> float:
        return 0.0  # its branches bring their own rows


class SRDOptions(TaughtOptions, HintOptions):
    """The pitfalls that the policy writes down before it answers are corrected by a teacher that knows more (SRD)."""

    method: ClassVar[str] = "srd:SRD"
    name: Literal["srd"] = "srd"
    distill_weight: Positive = 0.01
    """λ: weight of the divergence from the teacher, summed over the pitfalls of an attempt."""


TARGET = (SelfDistillOptions, SRPOOptions, SRDOptions)
