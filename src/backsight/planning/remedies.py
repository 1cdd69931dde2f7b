"""What makes a run fit into memory, cheapest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backsight.planning.memory import NUMBERS_RECOMPUTED, Load, ModelSize, memory_of
from backsight.policies.footprint import NUMBERS_OF_A_LAYER

SMALLEST_MICRO_BATCH = 256
"""Fewest tokens of a micro-batch that are still learnt nearly as fast as many."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of settings that lowers the peak."""

    settings: str
    """What to write on the command line; in brackets, what the run does by itself."""
    costs: str
    peak: float
    """Peak in bytes with this change and all those before it."""


def remedies(size: ModelSize, load: Load, of_adapter: int) -> list[Remedy]:
    """Return changes that lower the peak, cheapest first, each on top of those before it.

    `of_adapter` is the number of weights of a LoRA adapter. A change that saves nothing is left out.
    """
    found: list[Remedy] = []
    peak = memory_of(size, load).peak
    for settings, costs, own_size, own_load in _changes(size, load, of_adapter):
        changed = memory_of(own_size, own_load).peak
        if changed < 0.99 * peak:
            found.append(Remedy(settings, costs, changed))
            peak = changed
    return found


def _changes(size: ModelSize, load: Load, of_adapter: int) -> Iterator[tuple[str, str, ModelSize, Load]]:
    """Yield settings, what they cost, and the sizes and the load with them."""
    if load.learnt_tokens > SMALLEST_MICRO_BATCH:
        load = replace(load, learnt_tokens=SMALLEST_MICRO_BATCH)
        yield f"micro_batch_size={SMALLEST_MICRO_BATCH}", "nothing but a little time", size, load
    if not load.recomputes:
        load = _recomputed(size, load)
        yield "(layers computed again)", "a third more time to learn; a run does it by itself", size, load
    if not size.has_adapter and of_adapter:
        size = replace(size, num_weights=size.num_weights + of_adapter, num_trained=of_adapter)
        yield "adapter=lora", "a learning rate of its own, about ten times as high", size, load
    if load.on_gpu and not load.bf16 and not load.in_four_bits:
        load = _in_bf16(load)
        yield "bf16=true", "rounding", size, load
    if load.on_gpu and size.has_adapter and not load.in_four_bits:
        load = replace(load, in_four_bits=True, bf16=False)
        yield "adapter.quantize=true", "rounding of the base to four bits, and time", size, load
    if load.decoded_rows > 1:
        load = replace(load, decoded_rows=load.decoded_rows // 2)
        yield "num_generations halved", "noisier advantages", size, load


def _recomputed(size: ModelSize, load: Load) -> Load:
    """Return the load with layers that are computed again: of what was measured, the share of the layers shrinks."""
    if load.bytes_a_token is None:
        return replace(load, recomputes=True)
    saved = 4 * (NUMBERS_OF_A_LAYER - NUMBERS_RECOMPUTED) * size.num_layers * size.hidden_size
    return replace(load, recomputes=True, bytes_a_token=max(0.2 * load.bytes_a_token, load.bytes_a_token - saved))


def _in_bf16(load: Load) -> Load:
    halved = None if load.bytes_a_token is None else load.bytes_a_token / 2
    return replace(load, bf16=True, bytes_a_token=halved)


def advice(size: ModelSize, load: Load, of_adapter: int, available: float | None) -> str | None:
    """Return in words which settings fit into `available` bytes, or come nearest; None when all fits already."""
    if available is None or memory_of(size, load).peak <= available:
        return None
    known = remedies(size, load, of_adapter)
    needed: list[str] = []
    for each in known:
        needed.append(each.settings)
        if each.peak <= available:
            return f"{' '.join(needed)} would take about {each.peak / 2**30:.1f} GiB"
    if not known:
        return "no setting makes it smaller; take a smaller model"
    return f"even {' '.join(needed)} would take about {known[-1].peak / 2**30:.1f} GiB; take a smaller model"
