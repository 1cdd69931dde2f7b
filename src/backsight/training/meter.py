"""A step's time and work as metrics: what people look at first when a run is slow."""

from __future__ import annotations

from functools import cached_property

from torch import nn

from backsight.policies.base import Policy
from backsight.profiling import Profile, matrix_product_rate, peak_memory

PHASES = ("prefill", "decode", "reward", "look_back", "forward", "backward", "optimizer")
FORWARD_FLOPS, BACKWARD_FLOPS, LEARNING_FLOPS = 2, 2, 2
"""Floating-point operations a weight and token: of a backward pass, 2 for what came before, 2 for what is trained."""


class Meter:
    """Knows how much a token costs and how fast the machine multiplies."""

    def __init__(self, policy: Policy) -> None:
        module = policy.module
        multiplied = {id(each.weight) for each in module.modules() if isinstance(each, nn.Linear)}
        looked_up = {id(each.weight) for each in module.modules() if isinstance(each, nn.Embedding)} - multiplied
        weights = [weight for weight in module.parameters() if id(weight) not in looked_up]
        self.num_weights = sum(weight.numel() for weight in weights)
        self.num_trained = sum(weight.numel() for weight in weights if weight.requires_grad)
        multiplying = next(weight for weight in weights if weight.is_floating_point())  # not those packed in four bits
        self.device, self.dtype = multiplying.device, multiplying.dtype

    @cached_property
    def rate(self) -> float:
        """Operations a second in large matrix products, measured once in a process."""
        return matrix_product_rate(self.device, self.dtype)

    def metrics(self, profile: Profile, seconds: float) -> dict[str, float]:
        """``step_time``; ``time/PHASE`` in seconds (``reward``: waiting for them after all was sampled; ``other``: none
        of the phases); ``tokens_per_second/PHASE``; ``memory/peak_gib`` of the process or its GPU;
        ``matrix_rate/achieved``: weights times tokens, attention left out, as a share of the rate of matrix products.
        """
        spent = {phase: profile.seconds[phase] for phase in PHASES if profile.seconds[phase]}
        tokens = profile.tokens
        metrics = {"step_time": seconds, **{f"time/{phase}": value for phase, value in spent.items()}}
        metrics["time/other"] = max(0.0, seconds - sum(spent.values()))
        metrics |= {f"tokens_per_second/{phase}": tokens[phase] / spent[phase] for phase in spent if tokens[phase]}
        metrics["memory/peak_gib"] = peak_memory(self.device)
        work = FORWARD_FLOPS * self.num_weights * (tokens["prefill"] + tokens["decode"] + tokens["forward"])
        work += (BACKWARD_FLOPS * self.num_weights + LEARNING_FLOPS * self.num_trained) * tokens["backward"]
        if work:
            metrics["matrix_rate/achieved"] = work / (seconds * self.rate)
        return metrics
