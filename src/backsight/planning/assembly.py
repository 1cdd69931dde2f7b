"""From the readings of a rehearsal to what the run will take, by arithmetic.

A reading is told by `backsight.runs.rehearsal`; all sizes are in bytes, all times in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from backsight.planning.duration import FIXED, SHARED, grown, on_line, seconds_of_step
from backsight.planning.measuring import Measured, Reading
from backsight.planning.memory import Load, Memory, ModelSize, floor_of_a_token, memory_of
from backsight.policies.footprint import NUMBERS_OF_A_LOGIT

FRESH = ("gradients", "optimizer", "copy from before a step")
"""Parts that are not there yet when the first attempts of a run are sampled."""
DECODING, LEARNING = "decoding", "activations and logits"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was measured with one model: the run's own, or one with fewer layers."""

    layers: int | None
    """Number of layers; None for the model as it is."""
    size: ModelSize
    opened: Reading
    steps: Sequence[Reading]
    bursts: Sequence[Reading]
    decoding: Reading | None
    learnt: Sequence[Reading]


def rehearsed(measured: Measured) -> list[Rehearsed]:
    """Return what was measured with each model, the one with most layers last.

    One of which no step was finished is left out.
    """
    places = [place for place, each in enumerate(measured.readings) if each["name"] == "opened"]
    found = []
    for first, end in itertools.pairwise([*places, len(measured.readings)]):
        own = Measured(measured.readings[first:end])
        opened = measured.readings[first]
        if own.all("step"):
            size = ModelSize(**opened["size"])
            parts = own.all("step"), own.all("burst"), own.last("decoding"), own.all("learnt")
            found.append(Rehearsed(opened["layers"], size, opened, *parts))
    return sorted(found, key=lambda each: each.layers or 0)


def libraries_of(found: Rehearsed, load: Load) -> float:
    """Return the bytes that are held once the policy is open, its weights left out; on a GPU there are none."""
    return 0.0 if load.on_gpu else max(0.0, float(found.opened["held"] - found.opened["weights"]))


def measured_load(found: Rehearsed, load: Load) -> Load:
    """Return the load with what was measured of it: libraries, bytes a token, tokens and rows at once."""
    load = replace(load, libraries=libraries_of(found, load))
    if found.decoding is not None:
        load = replace(load, decoded_rows=int(found.decoding["rows"]))
    if not found.learnt:
        return load
    kept = memory_of(found.size, replace(load, learnt_tokens=0, decoded_rows=0)).peak
    largest = max(found.learnt, key=lambda each: each["tokens"])
    tokens = max(1, round(largest["tokens"] / largest["share"]))
    if largest["share"] == 1:
        left = float(largest["peak"] - kept)
    else:
        points = [(each["tokens"], each["peak"] - kept) for each in found.learnt]
        points += [
            (each["learnt"] / each["micro_batches"], each["peaks"]["learning"] - kept)
            for each in whole_steps(found.steps)
            if each["micro_batches"]
        ]
        # a line through what an allocator held on to may be steep or flat by chance: the formula is a floor, and a
        # token of the largest part that was measured takes no less than one of the whole
        most = tokens * (largest["peak"] - kept) / largest["tokens"]
        left = min(max(on_line(points, tokens), tokens * floor_of_a_token(found.size, load)), most)
    return replace(load, learnt_tokens=tokens, bytes_a_token=max(0.0, left) / tokens)


def memory_measured(found: Rehearsed, load: Load) -> Memory:
    """Return the memory of a run whose own model was rehearsed; `load` is that of `measured_load`."""
    memory = memory_of(found.size, load)
    decoding = decoding_bytes(found, load)
    return Memory({**memory.parts, DECODING: decoding}) if decoding is not None else memory


def decoding_bytes(found: Rehearsed, load: Load) -> float | None:
    """Return the bytes that decoding takes: the cache, and what was held besides while the first attempts were sampled.

    Return None where nothing was decoded.
    """
    first = found.steps[0]
    rows, cached = first["rows"]
    if found.decoding is None or not rows:
        return None
    kept = memory_of(found.size, replace(load, learnt_tokens=0, decoded_rows=0)).parts
    held = sum(own for name, own in kept.items() if name not in FRESH)
    besides = max(0.0, first["peaks"]["decoding"] - held - cached)
    more = max(0, found.decoding["rows"] - rows)
    return float(found.decoding["bytes"] + besides + more * NUMBERS_OF_A_LOGIT * 4 * found.size.vocab_size)


def load_grown(few: Rehearsed, more: Rehearsed, load: Load, whole: ModelSize) -> Load:
    """Return the load of the whole model, from two with fewer layers: bytes grow by as much with each layer.

    They are no fewer than those of the formula, which is a floor.
    """
    assert few.layers is not None and more.layers is not None
    small, large = measured_load(few, load), measured_load(more, load)
    if small.bytes_a_token is None or large.bytes_a_token is None or few.layers == more.layers:
        return replace(large, bytes_a_token=None)  # then the formula has to do
    a_layer = max(0.0, large.bytes_a_token - small.bytes_a_token) / (more.layers - few.layers)
    bytes_a_token = large.bytes_a_token + a_layer * (whole.num_layers - more.layers)
    return replace(large, bytes_a_token=max(bytes_a_token, floor_of_a_token(whole, large)))


def seconds_measured(found: Rehearsed, whole: ModelSize, num_prompts: int) -> dict[str, float]:
    """Return the seconds of a step by phase, of a larger model where one with fewer layers was rehearsed."""
    seconds = seconds_of_step(found.steps, num_prompts, found.bursts)
    return seconds if found.layers is None else grown(seconds, found.size, whole)


def with_full_step(found: Rehearsed, num_generations: int, length: int) -> Rehearsed:
    """Return what was measured with a step on one prompt of full completions, computed from the small one.

    Each token of a completion takes as long to decode as those of the small step. Siblings share their prompt, as they
    did there, and a token is learnt at the rate of the largest part of a micro-batch.
    """
    small = found.steps[-1]
    prompts, said = small["prompts"], max(1, small["longest"])
    rows = small["with_signal"] or small["examples"]
    asked = max(0.0, small["learnt"] - rows * said)
    learnt = asked + rows / prompts * length
    seconds = {name: own / prompts for name, own in small["seconds"].items()}
    seconds |= {name: small["seconds"].get(name, 0.0) for name in (*FIXED, *SHARED)}
    seconds["decode"] *= length / said
    passes = {name: small["seconds"].get(name, 0.0) for name in ("forward", "backward")}
    rate = sum(passes.values()) / max(1, small["learnt"])
    if found.learnt:
        largest = max(found.learnt, key=lambda each: each["tokens"])
        rate = min(rate, largest["seconds"] / largest["tokens"])
    for name, own in passes.items():
        seconds[name] = learnt * rate * own / max(1e-9, sum(passes.values()))
    full = {
        "is_small": False,
        "prompts": 1,
        "seconds": seconds,
        "learnt": learnt,
        "longest": length,
        "attempts": num_generations or small["attempts"] / prompts,
        "tokens": num_generations * length,
        "examples": rows / prompts,
    }
    return replace(found, steps=[*found.steps, {**small, **full}])


def per_prompt(steps: Sequence[Reading], name: str) -> float:
    """Return the mean of a count for each prompt, over all steps that were measured."""
    own = whole_steps(steps)
    return float(sum(each[name] for each in own) / sum(each["prompts"] for each in own))


def whole_steps(steps: Sequence[Reading]) -> list[Reading]:
    """Return the steps with all attempts of a prompt; the small one where there is no other."""
    return [each for each in steps if not each["is_small"]] or list(steps)


def peak_of_decoding(steps: Sequence[Reading], num_prompts: int) -> float:
    """Return the most bytes held while so many prompts are answered, on a line through the steps; 0 for one size."""
    points = [(each["prompts"], each["peaks"]["decoding"]) for each in whole_steps(steps)]
    return on_line(points, num_prompts) if len({place for place, _ in points}) > 1 else 0.0


def highest_peak(measured: Measured) -> float:
    """Return the most bytes that were held at any time of a rehearsal."""
    peaks: list[Any] = [each["peak"] for each in measured.readings if "peak" in each]
    peaks += [own for each in measured.readings if "peaks" in each for own in each["peaks"].values()]
    return float(max(peaks, default=0))
