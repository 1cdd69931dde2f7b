"""What makes a run fit, cheapest first."""

from __future__ import annotations

from dataclasses import replace

from backsight.planning.memory import Load, ModelSize, memory_of
from backsight.planning.remedies import advice, remedies

SIZE = ModelSize(10**6, 10**6, 10**6, num_layers=4, hidden_size=64, vocab_size=1000, cache_bytes=2048)
LOAD = Load(learnt_tokens=2048, decoded_rows=2, columns=10, libraries=0.0)


def test_cheap_ones_come_first_and_each_takes_less() -> None:
    found = remedies(SIZE, LOAD, of_adapter=10_000)
    assert [each.settings for each in found][:3] == ["micro_batch_size=256", "(layers computed again)", "adapter=lora"]
    peaks = [memory_of(SIZE, LOAD).peak, *(each.peak for each in found)]
    assert peaks == sorted(peaks, reverse=True)


def test_what_saves_nothing_is_left_out() -> None:
    small = replace(LOAD, learnt_tokens=100)
    assert "micro_batch_size=256" not in [each.settings for each in remedies(SIZE, small, 10_000)]
    adapted = replace(SIZE, num_trained=10_000)
    assert "adapter=lora" not in [each.settings for each in remedies(adapted, LOAD, 10_000)]


def test_four_bits_are_for_gpus() -> None:
    on_gpu = [each.settings for each in remedies(SIZE, replace(LOAD, on_gpu=True), 10_000)]
    assert "adapter.quantize=true" in on_gpu
    assert "adapter.quantize=true" not in [each.settings for each in remedies(SIZE, LOAD, 10_000)]


def test_advice_names_no_more_than_it_takes() -> None:
    whole, (first, *others) = memory_of(SIZE, LOAD).peak, remedies(SIZE, LOAD, 10_000)
    assert advice(SIZE, LOAD, 10_000, whole) is None
    assert advice(SIZE, LOAD, 10_000, None) is None
    assert (advice(SIZE, LOAD, 10_000, first.peak) or "").startswith("micro_batch_size=256 would take")
    assert (advice(SIZE, LOAD, 10_000, others[-1].peak / 2) or "").startswith("even micro_batch_size=256 ")
