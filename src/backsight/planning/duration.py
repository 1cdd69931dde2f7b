"""The time that a run takes, from steps that were measured, or by arithmetic for a machine that is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from backsight.planning.machines import LAUNCHES_A_LAYER, READING_SHARE, SECONDS_A_LAUNCH, Machine
from backsight.planning.memory import BYTES_IN_BF16, ModelSize
from backsight.policies.footprint import BYTES_OF_A_WEIGHT
from backsight.training.config import StopConfig
from backsight.training.metrics import BACKWARD_FLOPS, FORWARD_FLOPS, LEARNING_FLOPS

SHARED = ("decode", "prefill")
"""Phases in which many rows share work, so that their time is a line over the number of prompts, and not a share."""
FIXED = ("optimizer", "rest")
"""Phases that take the same time whatever the number of prompts: the rest is mostly the copy from before the step."""
OF_THE_MODEL = ("decode", "prefill", "forward", "backward", "look_back")
"""Phases whose time grows with the weights that a token is multiplied by."""

Step = Mapping[str, Any]
"""A reading of a measured step; see `backsight.runs.rehearsal`."""


def seconds_of_step(steps: Sequence[Step], num_prompts: int, bursts: Sequence[Step] = ()) -> dict[str, float]:
    """Return the seconds of a step on so many prompts, by phase.

    Of whole steps that were measured it is the median; of smaller ones, what prompts share lies on a line through the
    smallest and the largest, what they do not is multiplied. Where all steps were of one size, `bursts` of a few tokens
    say how the line rises. The small step that a process begins with counts only where there is no other.
    """
    warm = [each for each in steps if not each["is_small"]] or list(steps)
    whole = [each for each in warm if each["prompts"] == num_prompts]
    used = whole or warm
    prompts = sum(each["prompts"] for each in used)
    names = list(dict.fromkeys(name for each in used for name in each["seconds"]))
    found = {}
    for name in names:
        total = sum(each["seconds"].get(name, 0.0) for each in used)
        if whole or name in FIXED:
            found[name] = median(each["seconds"].get(name, 0.0) for each in used)
        elif name in SHARED:
            points = [(each["prompts"], each["seconds"].get(name, 0.0)) for each in warm]
            if len({place for place, _ in points}) == 1 and len(bursts) > 1 and bursts[0][name] > 0:
                small = [(each["prompts"], each[name] / bursts[0][name]) for each in bursts]
                found[name] = total / len(used) * on_line(small, num_prompts)
            else:
                found[name] = on_line(points, num_prompts)
        else:
            found[name] = total / prompts * num_prompts
    return found


def on_line(points: Sequence[tuple[float, float]], place: float) -> float:
    """Return the height at a place of the rising line through the first and last of the points, or of a level one.

    One point alone is multiplied.
    """
    (first, low), (last, high) = min(points), max(points)
    if first == last:
        heights = [height for _, height in points]
        return sum(heights) / len(heights) * place / first
    return max(0.0, high + max(0.0, (high - low) / (last - first)) * (place - last))


def grown(seconds: Mapping[str, float], measured: ModelSize, whole: ModelSize) -> dict[str, float]:
    """Return the seconds of a larger model of the same kind, by the weights that tokens are multiplied by."""
    by_work = whole.num_multiplied / measured.num_multiplied
    by_weights = whole.num_trained / max(1, measured.num_trained)
    return {
        name: own * (by_work if name in OF_THE_MODEL else by_weights if name in FIXED else 1.0)
        for name, own in seconds.items()
    }


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one step of a run."""

    prompt: float
    """Prompt tokens, each prompt once."""
    learnt: float
    """Tokens of the forward and backward passes."""
    longest: float
    """Tokens of the longest completion."""
    rows: float
    """Attempts that are decoded together."""


def computed_seconds(size: ModelSize, tokens: Tokens, machine: Machine, *, bf16: bool) -> dict[str, float]:
    """Compute the seconds of a step on a machine that is not there, by phase.

    Decoding reads all weights and the cache for each token of the longest completion, and is no faster than its
    products and its launches; all else is products. See `machines.py` for the shares that are taken to be reached.
    """
    bytes_a_weight = BYTES_IN_BF16 if bf16 else BYTES_OF_A_WEIGHT
    rate, work = machine.rate(bf16), size.num_multiplied
    cached = tokens.rows * tokens.longest * size.cache_bytes * bytes_a_weight / BYTES_OF_A_WEIGHT
    reading = (bytes_a_weight * work + cached) / (READING_SHARE * machine.bytes_a_second)
    launches = SECONDS_A_LAUNCH * LAUNCHES_A_LAYER * size.num_layers if machine.is_gpu else 0.0
    a_token = max(reading, FORWARD_FLOPS * work * tokens.rows / rate, launches)
    backward = BACKWARD_FLOPS * work + LEARNING_FLOPS * size.num_trained
    return {
        "decode": tokens.longest * a_token,
        "prefill": FORWARD_FLOPS * work * tokens.prompt / rate,
        "forward": FORWARD_FLOPS * work * tokens.learnt / rate,
        "backward": backward * tokens.learnt / rate,
        "optimizer": 7 * BYTES_OF_A_WEIGHT * size.num_trained / (READING_SHARE * machine.bytes_a_second),
    }


def steps_until(stop: StopConfig, attempts: float, tokens: float, seconds: float) -> tuple[int, str] | None:
    """Return the number of steps until the first budget ends the run, and which; None where only scores end it.

    The other numbers are those of one step.
    """
    budgets = {
        "max_steps": (stop.max_steps, 1.0),
        "max_attempts": (stop.max_attempts, attempts),
        "max_tokens": (stop.max_tokens, tokens),
        "max_seconds": (stop.max_seconds, seconds),
    }
    counts = {
        name: math.ceil(limit / each)
        for name, (limit, each) in budgets.items()
        if limit is not None and each > 0 and math.isfinite(each)
    }
    if not counts:
        return None
    name = min(counts, key=lambda each: counts[each])
    return max(1, counts[name]), f"stop.{name}"
