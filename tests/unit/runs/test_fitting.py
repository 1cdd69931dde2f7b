"""The line that a run begins with when it is thought not to fit, and the one it ends with when memory ran out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS, SayWord

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.policies import footprint
from backsight.presets.base import configure
from backsight.reports.run_folder import RunReader
from backsight.runs.finetune import Result, finetune
from backsight.runs.fitting import copies_of, static_load, why_not, with_way_out
from backsight.training import update


def config_of(**settings: Any) -> RunConfig:
    return configure(SayWord(), {"max_completion_length": 8, **settings})[0]


def test_copies_are_those_that_the_settings_ask_for() -> None:
    assert copies_of(config_of()) == ()
    own = config_of(beta=0.1, keep_best=True, eval_steps=1, max_staleness=2, loss_type="tis", hindsight="self_distill")
    assert copies_of(own) == ("reference", "teacher", "best", "sampler", "step ahead 1", "step ahead 2")
    assert copies_of(config_of(hindsight="self_distill", teacher={"update": "live"})) == ()


def test_a_load_is_that_of_the_settings() -> None:
    load = static_load(config_of(prompts_per_step=4, num_generations=8, micro_batch_size=512), on_gpu=False)
    assert (load.learnt_tokens, load.decoded_rows, load.columns) == (512, 32, 8)


def test_a_run_that_does_not_fit_says_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, config = tiny_policy(), config_of()
    monkeypatch.setattr(footprint, "available_bytes", lambda device: 10**12)
    assert why_not(config, policy) is None
    monkeypatch.setattr(footprint, "available_bytes", lambda device: None)
    assert why_not(config, policy) is None
    monkeypatch.setattr(footprint, "available_bytes", lambda device: 10 * 2**20)
    line = why_not(config, policy)
    assert line is not None and line.startswith("memory: this run takes about 0.0 GiB, and there are 0.0")
    assert "micro_batch_size=256" in line and "\n" not in line


def test_memory_that_ran_out_names_the_settings_that_take_less() -> None:
    error = ConfigError("micro_batch_size", 8, "one example alone does not fit into memory")
    told = with_way_out(error, config_of(), tiny_policy())
    assert "or, cheapest first: adapter=lora" in told.remedy and told.field == "micro_batch_size"
    other = ConfigError("engine", "x", "is none")
    assert with_way_out(other, config_of(), tiny_policy()) is other


def run_tiny(folder: Path) -> Result:
    settings = {"num_generations": 2, "prompts_per_step": 1, "max_completion_length": 4, "eval_items": 1}
    return finetune(
        tiny_policy(words=WORDS),
        SayWord(),
        adapter=None,
        stop={"max_steps": 1},
        output_dir=str(folder),
        show_progress=False,
        **settings,
    )


def test_a_run_begins_all_the_same_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(footprint, "available_bytes", lambda device: 10 * 2**20)
    messages = [row["message"] for row in RunReader(run_tiny(tmp_path).folder).messages()]
    assert any(each.startswith("memory: this run takes about") for each in messages)


def test_a_run_whose_memory_runs_out_names_the_ways_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(update, "micro_batch_loss", fail)
    monkeypatch.setattr(update, "has_signal", lambda example, config: True)
    with pytest.raises(ConfigError, match="micro_batch_size: .*does not fit into memory.*cheapest first: adapter=lora"):
        run_tiny(tmp_path)
