"""The time of a step, from steps that were measured, and by arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backsight.planning.duration import Tokens, computed_seconds, grown, on_line, seconds_of_step, steps_until
from backsight.planning.machines import Machine
from backsight.planning.memory import ModelSize
from backsight.training.config import StopConfig

SIZE = ModelSize(1000, 1000, 900, num_layers=2, hidden_size=8, vocab_size=100, cache_bytes=64)
MACHINE = Machine(1e9, 1000.0, 5000.0, 10_000.0, is_gpu=False, source="nobody")


def step(prompts: float, *, is_small: bool = False, **seconds: float) -> dict[str, object]:
    return {"prompts": prompts, "is_small": is_small, "seconds": seconds}


def test_the_median_of_whole_steps_counts_and_the_small_one_does_not() -> None:
    steps = [
        step(4, is_small=True, decode=9.0),
        *(step(4, decode=each) for each in (2.0, 3.0, 40.0)),
        step(1, decode=1.0),
    ]
    assert seconds_of_step(steps, 4) == {"decode": 3.0}


def test_smaller_steps_are_continued() -> None:
    """Decoding on a line through 1 and 3 prompts, the forward pass in proportion, the optimizer as it is."""
    steps = [step(1, decode=2.0, forward=2.0), step(3, decode=3.0, forward=6.0, optimizer=0.5)]
    assert seconds_of_step(steps, 9) == {"decode": 6.0, "forward": 18.0, "optimizer": 0.25}


def test_the_only_step_counts_even_if_it_is_small() -> None:
    assert seconds_of_step([step(2, is_small=True, decode=2.0)], 8) == {"decode": 8.0}


def test_bursts_say_how_decoding_slows_down() -> None:
    """Five prompts take twice as long as one in bursts, nine by the same line three times."""
    bursts = [{"prompts": 1, "decode": 0.5, "prefill": 0.0}, {"prompts": 5, "decode": 1.0, "prefill": 0.0}]
    assert seconds_of_step([step(1, decode=4.0)], 9, bursts) == {"decode": pytest.approx(12.0)}


def test_a_line_never_falls() -> None:
    assert on_line([(1, 5.0), (3, 4.0)], 10) == 4.0


def test_time_grows_with_the_weights() -> None:
    measured = replace(SIZE, num_trained=500, num_multiplied=300)
    assert grown({"decode": 1.0, "optimizer": 1.0, "reward": 1.0}, measured, SIZE) == {
        "decode": 3.0,
        "optimizer": 2.0,
        "reward": 1.0,
    }


def test_a_machine_that_is_not_there() -> None:
    """Learning at 0.4 x 5000 operations a second; decoding reads 3600 bytes and the cache at 0.6 x 1000 a second."""
    seconds = computed_seconds(SIZE, Tokens(prompt=10, learnt=100, longest=5, rows=2), MACHINE, bf16=False)
    assert seconds["prefill"] == pytest.approx(2 * 900 * 10 / 2000)
    assert seconds["forward"] == pytest.approx(2 * 900 * 100 / 2000)
    assert seconds["backward"] == pytest.approx((2 * 900 + 2 * 1000) * 100 / 2000)
    assert seconds["decode"] == pytest.approx(5 * max((3600 + 2 * 5 * 64) / 600, 2 * 900 * 2 / 2000))


def test_the_first_budget_ends_the_run() -> None:
    stop = StopConfig(max_steps=100, max_attempts=640, max_seconds=1000.0)
    assert steps_until(stop, attempts=64, tokens=10, seconds=2.0) == (10, "stop.max_attempts")
    assert steps_until(stop, attempts=64, tokens=10, seconds=500.0) == (2, "stop.max_seconds")
    assert steps_until(StopConfig(target=0.5), 64, 10, 1.0) is None
