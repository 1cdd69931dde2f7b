"""A plan of a tiny model, from the configuration to the figures; and what cannot be planned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.config import RunConfig
from backsight.errors import ConfigError, ModelError
from backsight.planning.measuring import OUT_OF_MEMORY, Measured
from backsight.planning.memory import ModelSize
from backsight.presets.base import configure
from backsight.runs import plan as planned
from backsight.runs.plan import plan

SIZE = ModelSize(10**6, 10**6, 10**6, num_layers=8, hidden_size=64, vocab_size=1000, cache_bytes=2048)
SMALL = ModelSize(250_000, 250_000, 250_000, num_layers=2, hidden_size=64, vocab_size=1000, cache_bytes=512)


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., RunConfig]:
    """A function from settings to the configuration of a run on rows with a tiny model."""
    rows = [json.dumps({"source": f"number {each}", "target": "red"}) for each in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))

    def make(**settings: Any) -> RunConfig:
        own = {"data": str(tmp_path / "rows.jsonl"), "policy": str(tmp_path / "model"), "max_completion_length": 4}
        return configure("translation", {**own, **settings})[0]

    return make


def test_a_tiny_run_is_rehearsed(make_config: Callable[..., RunConfig], tmp_path: Path) -> None:
    tiny_policy(words=("red",)).save(tmp_path / "model")
    config = make_config(prompts_per_step=2, num_generations=2, eval_items=4, stop={"max_steps": 10}, adapter=None)
    made = plan(config)
    assert made.how == "measured in a rehearsal of the run"
    assert {"weights", "gradients", "optimizer", "interpreter and libraries"} <= made.memory.parts.keys()
    assert 100 * 2**20 < made.peak < 4 * 2**30
    assert (made.steps, made.ends_by, made.attempts) == (10, "stop.max_steps", 4)
    assert made.step_seconds > 0 and {"decode", "rest"} <= made.seconds.keys()
    assert made.disk["policy"] == 4 * made.size.num_weights and made.disk["trajectories"] > 0
    assert made.advice is None
    assert json.dumps(made.as_dict())
    assert not (tmp_path / "runs").exists()


def test_a_model_that_does_not_load_is_named(make_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(ModelError, match="policy"):
        plan(make_config())


def test_an_unknown_machine_is_refused_before_anything_is_measured(make_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match="machine: cray: .*h100"):
        plan(make_config(), "cray")


def readings(layers: int | None, a_token: int) -> list[dict[str, Any]]:
    size = SIZE if layers is None else SMALL
    seconds = {"decode": 1.0, "forward": 1.0, "backward": 2.0, "optimizer": 0.1, "rest": 0.5}
    counts = {
        "attempts": 8,
        "tokens": 80,
        "read": 20,
        "learnt": 100,
        "examples": 8,
        "with_signal": 8,
        "micro_batches": 1,
    }
    step = {"prompts": 1, "is_small": False, "seconds": seconds, "longest": 10, "cut_off": 0, **counts}
    return [
        {
            "name": "opened",
            "layers": layers,
            "size": asdict(size),
            "weights": 10**6,
            "held": 4 * 10**8,
            "peak": 5 * 10**8,
        },
        {**step, "name": "step", "peaks": {"decoding": 4 * 10**8, "learning": 4 * 10**8}, "rows": [8, 1000]},
        {"name": "decoding", "rows": 64, "bytes": 10**6, "evaluated": 16},
        {"name": "learnt", "tokens": 100, "share": 1.0, "peak": 6 * 10**8 + a_token * 100},
        {"name": "sizes", "an_attempt": 500.0},
    ]


PAPER = {"name": "paper", "size": asdict(SIZE), "of_adapter": 1000, "depth": 8, "has_adapter": False}


def test_memory_that_runs_out_is_measured_with_fewer_layers(
    make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def measure(module: str, words: list[str], seconds: float) -> Measured:
        asked.append(words[1])
        if len(asked) == 1:
            return Measured([PAPER], OUT_OF_MEMORY)
        return Measured([PAPER, *readings(2, 10_000), *readings(4, 20_000)])

    monkeypatch.setattr(planned, "measure", measure)
    made = plan(make_config(prompts_per_step=2))
    assert asked == ["", "3,1"]
    assert made.how == "measured with 2 and 4 of 8 layers, and multiplied"
    assert made.notes[0].startswith("memory ran out in a rehearsal of the whole run")
    assert made.size == SIZE
    assert made.seconds["backward"] == pytest.approx(2.0 * 4 * 2)  # four times the weights, two prompts
    assert made.seconds["rest"] == pytest.approx(0.5 * 4)  # and whatever the number of prompts


def test_another_machine_is_computed(make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "measure", lambda *_: Measured([PAPER, *readings(None, 10_000)]))
    made = plan(make_config(prompts_per_step=1), "h100")
    assert made.how.startswith("computed from published figures (NVIDIA, H100")
    assert made.available == 80e9
    assert made.seconds["forward"] == pytest.approx(2 * 10**6 * 100 / (0.4 * 67e12))
    # 16 items take as many launches as the 8 attempts of a step, and no second of this machine
    assert made.evaluation_seconds == pytest.approx(made.seconds["decode"] + 16 * made.seconds["prefill"])
    assert "interpreter and libraries" not in made.memory.parts


def test_nothing_measured_at_all_is_said(
    make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planned, "measure", lambda *_: Measured([], OUT_OF_MEMORY))
    with pytest.raises(ConfigError, match="plan: memory ran out"):
        plan(make_config())
