"""Runs that keep the policy with the best score: what they save, what they say, and how they go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

import backsight
from backsight.config import read_config
from backsight.errors import ConfigError
from backsight.runs import finetune
from backsight.runs.finetune import Result
from backsight.runs.start import begin
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig

SMALL: dict[str, Any] = {
    "hindsight": "outcome",
    "learning_rate": 1e-2,
    "prompts_per_step": 2,
    "num_generations": 2,
    "max_completion_length": 3,
    "eval_items": 4,
    "eval_steps": 1,
    "save_steps": 1,
    "save_total_limit": 10,
    "keep_best": True,
    "show_progress": False,
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "model"
    tiny_policy(words=WORDS).save(folder)
    return str(folder)


def known(scores: list[float]) -> Callable[..., list[float]]:
    """A reward whose mean after each step is half above these scores, and that always differs between siblings."""

    def reward(completions: list[str], trainer_state: Any, **columns: Any) -> list[float]:
        return [scores[trainer_state.global_step] + number % 2 for number in range(len(completions))]

    return reward


def train(model: str, folder: Path, name: str, scores: list[float], steps: int, **settings: Any) -> Result:
    named = {**SMALL, "output_dir": str(folder), "run_name": name, "stop": {"max_steps": steps}, **settings}
    return backsight.finetune(model, GoalString(1), reward_funcs=known(scores), **named)


def go_on(folder: Path, scores: list[float], steps: int) -> Result:
    config = read_config(folder / "config.yaml").model_copy(update={"stop": StopConfig(max_steps=steps)})
    checkpoint = newest_checkpoint(folder / "checkpoints")
    parts = begin(config, GoalString(1), str(checkpoint), reward_funcs=known(scores))
    return finetune.train(parts, checkpoint=checkpoint, show_progress=False)


def weights(folder: Path) -> bytes:
    (path,) = (each for each in sorted(folder.glob("*model.safetensors")))
    return path.read_bytes()


@pytest.mark.parametrize("way", [{}, {"adapter": {"r": 2}}, {"bf16": True}])
def test_the_best_policy_is_what_is_saved(model: str, tmp_path: Path, way: dict[str, Any]) -> None:
    result = train(model, tmp_path, "run", [0.0, 0.2, 0.4, 0.1, 0.4], 4, **way)
    assert result.kept is not None and result.kept._asdict() == pytest.approx(
        {"split": "test", "step": 2, "score": 0.9, "last_step": 4, "last_score": 0.9}
    )
    checkpoints = result.folder / "checkpoints"
    assert weights(result.folder / "policy") == weights(checkpoints / "step-000002")
    assert weights(checkpoints / "step-000004") != weights(checkpoints / "step-000002")
    assert result.after["test"].reward.mean == pytest.approx(0.9)
    messages = [json.loads(line)["message"] for line in (result.folder / "messages.jsonl").read_text().splitlines()]
    assert "keep_best: saved the policy of step 2 (0.900 on test); the last one, of step 4, has 0.900" in messages
    steps = [json.loads(line)["step"] for line in (result.folder / "evaluations.jsonl").read_text().splitlines()]
    assert steps == [0, 1, 2, 3, 4]
    kept = load_file(checkpoints / "step-000004" / "best.safetensors")
    assert all(("lora" in name) == ("adapter" in way) for name in kept), "of an adapter its own weights alone"


def test_a_run_that_only_got_worse_saves_what_it_began_with(model: str, tmp_path: Path) -> None:
    result = train(model, tmp_path, "run", [0.3, 0.2, 0.1], 2)
    assert result.kept is not None and result.kept.step == 0 and "no step made it better" in result.kept.message
    assert weights(result.folder / "policy") == weights(Path(model))


def test_a_run_that_goes_on_keeps_the_best_from_before(model: str, tmp_path: Path) -> None:
    """The best policy is older than the checkpoint, and comes from its file."""
    scores = [0.0, 0.5, 0.1, 0.2, 0.3]
    straight = train(model, tmp_path, "straight", scores, 4)
    half = train(model, tmp_path, "halves", scores, 2)
    assert half.kept is not None and half.kept.step == 1
    resumed = go_on(half.folder, scores, 4)
    assert resumed.kept == straight.kept is not None and resumed.kept.step == 1
    assert weights(straight.folder / "policy") == weights(half.folder / "policy")
    last = "checkpoints/step-000004"
    for name in ("model.safetensors", "best.safetensors", "optimizer.safetensors"):
        assert (straight.folder / last / name).read_bytes() == (half.folder / last / name).read_bytes()


def test_it_needs_evaluations(model: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="eval_steps: 0: keep_best chooses among evaluations; set it to 1 or more"):
        train(model, tmp_path, "run", [0.0], 1, eval_steps=0)
    assert not (tmp_path / "run").exists()
