"""From readings to what a run takes, by hand."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from backsight.planning.assembly import (
    highest_peak,
    load_grown,
    measured_load,
    memory_measured,
    peak_of_decoding,
    per_prompt,
    rehearsed,
    seconds_measured,
    with_full_step,
)
from backsight.planning.measuring import Measured
from backsight.planning.memory import Load, ModelSize

SIZE = ModelSize(1000, 1000, 1000, num_layers=2, hidden_size=8, vocab_size=10, cache_bytes=64)
LOAD = Load(learnt_tokens=2048, decoded_rows=64, columns=100)
KEPT = 20_000 + 3000  # weights, gradients, two moments, the copy; libraries


def readings(layers: int | None = None, *, share: float = 1.0, a_token: int = 50) -> list[dict[str, Any]]:
    """A rehearsal that held 3000 bytes of libraries, 6000 for 4 rows of 512 bytes, and so many bytes a token."""
    return [
        {"name": "opened", "layers": layers, "size": asdict(SIZE), "weights": 4000, "held": 7000, "peak": 9000},
        {
            "name": "step",
            "prompts": 1,
            "is_small": True,
            "learnt": 50,
            "micro_batches": 0,
            "seconds": {"decode": 1.0},
            "attempts": 8,
            "peaks": {"decoding": 13_000, "learning": 20_000},
            "rows": [4, 2048],
        },
        {"name": "decoding", "rows": 10, "bytes": 5120, "evaluated": 20},
        {"name": "learnt", "tokens": 100, "share": share, "peak": KEPT + 100 * a_token},
    ]


def test_what_was_measured_adds_up_to_the_peak() -> None:
    (found,) = rehearsed(Measured(readings()))
    load = measured_load(found, LOAD)
    assert (load.libraries, load.learnt_tokens, load.bytes_a_token, load.decoded_rows) == (3000, 100, 50, 10)
    memory = memory_measured(found, load)
    # 7000 were held before the first attempts; 13,000 - 7000 - 2048 besides the cache; six rows more of 10 logits
    assert memory.parts["decoding"] == 5120 + 3952 + 6 * 3 * 4 * 10
    assert memory.peak == KEPT + max(5000, memory.parts["decoding"])


def test_a_part_of_the_largest_micro_batch_is_multiplied() -> None:
    (found,) = rehearsed(Measured(readings(share=0.25)))
    load = measured_load(found, LOAD)
    assert (load.learnt_tokens, load.bytes_a_token) == (400, 50)


def part_measured(a_token: int, of_half: int) -> float:
    """Bytes of a micro-batch of 400 tokens, of which 100 were measured, and 50 in a step, which took `of_half`."""
    own = readings(share=0.25, a_token=a_token)
    own[1] |= {"is_small": False, "learnt": 100, "micro_batches": 2}
    own[1]["peaks"] = {"decoding": 0, "learning": KEPT + of_half}
    return 400 * (measured_load(rehearsed(Measured(own))[0], LOAD).bytes_a_token or 0)


def test_smaller_micro_batches_lie_on_a_line() -> None:
    """1200 bytes for each token more: 400 tokens take 360,000 more than 100 do, and those take 200,000."""
    assert part_measured(a_token=2000, of_half=140_000) == pytest.approx(560_000)


def test_a_line_ends_between_the_formula_and_what_a_measured_token_takes() -> None:
    of_the_formula = 4 * (17 * 2 * 8 + 3 * 10)
    assert part_measured(a_token=2000, of_half=199_000) == pytest.approx(400 * of_the_formula)
    assert part_measured(a_token=2000, of_half=1000) == pytest.approx(400 * 2000)


def test_on_a_gpu_libraries_lie_elsewhere() -> None:
    (found,) = rehearsed(Measured(readings()))
    assert measured_load(found, replace(LOAD, on_gpu=True)).libraries == 0


def test_bytes_a_token_grow_by_as_much_with_each_layer() -> None:
    few, more = rehearsed(Measured([*readings(4, a_token=6000), *readings(2, a_token=5000)]))
    whole = replace(SIZE, num_layers=28)
    assert load_grown(few, more, LOAD, whole).bytes_a_token == pytest.approx(6000 + 24 * 500)
    wide = replace(whole, hidden_size=16)
    assert load_grown(few, more, LOAD, wide).bytes_a_token == pytest.approx(4 * (17 * 28 * 16 + 3 * 10))


def test_a_full_step_is_computed_from_a_small_one() -> None:
    """Two attempts of 8 tokens at a quarter of a prompt's attempts, which learnt 4 tokens of the prompt as well."""
    seconds = {
        "prefill": 1.0,
        "decode": 2.0,
        "forward": 1.0,
        "backward": 4.0,
        "optimizer": 3.0,
        "rest": 5.0,
        "reward": 6.0,
    }
    small = {"prompts": 0.25, "longest": 8, "learnt": 20, "with_signal": 2, "examples": 2, "seconds": seconds}
    told = readings()
    told[1] |= small | {"attempts": 2, "tokens": 16, "read": 4}
    told[3] |= {"seconds": 10.0}
    (found,) = rehearsed(Measured(told))
    full = with_full_step(found, num_generations=8, length=64).steps[-1]
    assert (full["prompts"], full["attempts"], full["longest"], full["is_small"]) == (1, 8, 64, False)
    assert full["learnt"] == 4 + 8 * 64
    passes = 516 * 10.0 / 100  # at the rate of the largest micro-batch, which is faster than the small step
    expected = {"prefill": 1.0, "decode": 16.0, "forward": passes / 5, "backward": passes * 4 / 5, "optimizer": 3.0}
    assert full["seconds"] == pytest.approx({**expected, "rest": 5.0, "reward": 24.0})


def test_time_grows_where_layers_were_left_out() -> None:
    whole = replace(SIZE, num_multiplied=7000)
    (found,), (short,) = rehearsed(Measured(readings())), rehearsed(Measured(readings(2)))
    assert seconds_measured(found, whole, 1) == {"decode": 1.0}
    assert seconds_measured(short, whole, 1) == {"decode": 7.0}


def test_a_model_without_a_finished_step_is_left_out() -> None:
    assert rehearsed(Measured([*readings(2), readings(4)[0]]))[-1].layers == 2
    assert rehearsed(Measured([])) == []


def test_counts_and_peaks_are_over_all_steps() -> None:
    own = readings()
    assert highest_peak(Measured(own)) == KEPT + 5000
    steps = [own[1], {**own[1], "prompts": 3, "attempts": 24}]
    assert per_prompt(steps, "attempts") == 8


def test_decoding_takes_more_with_more_prompts() -> None:
    step = {**readings()[1], "is_small": False}
    assert peak_of_decoding([step], 9) == 0
    larger = {**step, "prompts": 3, "peaks": {"decoding": 15_000, "learning": 0}}
    assert peak_of_decoding([step, larger], 9) == 15_000 + 6 * 1000
