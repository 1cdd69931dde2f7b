"""Runs on a cluster, as the program that places them and the ranks see them. The cluster here is this process."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tiny_models import learner

from backsight.cluster import launch
from backsight.cluster.options import ClusterConfig
from backsight.config import RunConfig
from backsight.errors import BacksightError, ConfigError, ModelError, RunFolderError
from backsight.feedback.reward_functions import RewardFunctions
from backsight.interfaces import Pending, Place
from backsight.presets.base import find_preset
from backsight.reports.lock import only_writer
from backsight.runs import placed
from backsight.runs.finetune import Result, train
from backsight.runs.start import begin

LABELS = ("positive", "negative")


@pytest.fixture
def make_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunConfig]:
    """A function that makes the settings of a small run, on a cluster that is this process."""
    learner(LABELS).save(tmp_path / "llama")
    rows = ({"text": f"t{each}", "label": LABELS[each % 2]} for each in range(20))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "check", lambda options: None)
    monkeypatch.setattr(launch, "run_on_ranks", lambda options, function: function())
    small = {"prompts_per_step": 2, "num_generations": 2, "max_completion_length": 2, "eval_items": 2, "save_steps": 1}
    settings = {"policy": "llama", "data": "rows.jsonl", "learning_rate": 1e-3, **small, "stop": {"max_steps": 2}}
    return lambda **changes: find_preset("sentiment", settings).configure({**settings, **changes})


def place(config: RunConfig, folder: Path | None = None) -> Result:
    told: list[Result] = []
    assert placed.place(config, ClusterConfig(), folder, told.append) is False
    (result,) = told
    return result


def test_a_placed_run_is_the_one_that_is_not(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(run_name="here")
    train(begin(config, find_preset("sentiment", config.model_dump()).task(config)), show_progress=False)
    result = place(make_config(run_name="there"))
    assert result.folder == Path("runs/there") and result.before and result.after
    here, there = (load_file(f"runs/{name}/policy/model.safetensors") for name in ("here", "there"))
    assert all(bool((here[name] == weight).all()) for name, weight in there.items())
    assert sorted(os.listdir("runs/here")) == sorted(os.listdir("runs/there"))


def test_ranks_that_were_lost_go_on(make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    place(make_config(run_name="whole", stop={"max_steps": 3}))

    def lose_once(options: Any, function: Callable[[], Any]) -> Any:
        with monkeypatch.context() as patch, pytest.raises(SystemError, match="lost"):
            patch.setattr("backsight.training.trainer.Trainer.look_back", interrupt_at(2))
            function()
        return function()

    monkeypatch.setattr(launch, "run_on_ranks", lose_once)
    result = place(make_config(run_name="lost", stop={"max_steps": 3}))
    assert result.progress.step == 3
    whole, lost = (load_file(f"runs/{name}/policy/model.safetensors") for name in ("whole", "lost"))
    assert all(bool((whole[name] == weight).all()) for name, weight in lost.items())


def interrupt_at(step: int) -> Callable[..., Any]:
    from backsight.training.trainer import Trainer

    look_back = Trainer.look_back

    def call(self: Trainer, groups: Any) -> Any:
        if self.progress.step == step:
            raise SystemError("lost")
        return look_back(self, groups)

    return call


def test_a_run_that_cannot_begin_leaves_no_folder(make_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        place(make_config(policy="nowhere/at/all", run_name="bad"))
    assert not Path("runs/bad").exists()


def test_nothing_is_made_where_there_is_no_cluster(
    make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(options: Any) -> None:
        raise ConfigError("cluster", "ray", "is not installed")

    monkeypatch.setattr(launch, "check", refuse)
    with pytest.raises(ConfigError, match="^cluster: ray: is not installed"):
        place(make_config())
    assert not Path("runs").exists()


def test_a_folder_that_a_machine_cannot_see_is_refused(
    make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(options: Any, function: Callable[[], Any]) -> Any:
        os.rename("runs", "not here")
        try:
            return function()
        finally:
            os.rename("not here", "runs")

    monkeypatch.setattr(launch, "run_on_ranks", elsewhere)
    with pytest.raises(RunFolderError, match="^output_dir: runs/unseen: .* cannot see it; set output_dir"):
        place(make_config(run_name="unseen"))
    assert os.listdir("runs") == []


def test_somebody_else_who_writes_to_the_folder_is_not_waited_for_forever(
    make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(make_config(run_name="taken")).folder
    monkeypatch.setattr(placed, "PATIENCE", 0.3)
    with only_writer(folder), pytest.raises(BacksightError, match="is writing to it"):
        place(make_config(run_name="taken"), folder)
    assert (folder / "policy").is_dir()


@pytest.mark.parametrize("cpus", [None, 0, 2])
def test_reward_functions_are_called_where_the_settings_say(
    cpus: float | None, make_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def tasks(options: ClusterConfig) -> Place:
        def send(work: Callable[[], Any], seconds: float) -> Pending[Any]:
            asked.append(seconds)
            return Pending(work, lambda: None)

        return send

    def judge(completions: list[str], **columns: Any) -> list[float]:
        return [0.5] * len(completions)

    monkeypatch.setattr(launch, "tasks", tasks)
    monkeypatch.setattr("backsight.runs.start._feedback", lambda task, functions: RewardFunctions([judge]))
    config = make_config(run_name="tasks", reward_timeout=77)
    placed.place(config, ClusterConfig(reward_cpus=cpus), None, lambda result: None)
    assert set(asked) == (set() if cpus is None else {77.0})
