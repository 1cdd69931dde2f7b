"""Runs that train an adapter: the base stays as it is, checkpoints are small, a resumed run ends with the same bits."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import sampler_for
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.hindsight.prompt.options import RelabelOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.policies.base import trained_weights
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.tasks.base import SingleTurn
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Feedback

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=4),
    algorithm="rloo",
    learning_rate=1e-2,
    prompts_per_step=2,
    num_generations=2,
    max_completion_length=3,
)
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"bf16": True},
    "with a reference": {"beta": 0.1},
    "one step off in bf16": {"max_staleness": 1, "loss_type": "clip", "bf16": True},
    "with a teacher": {"teacher": TeacherConfig(update="ema", check_steps=0)},
}


def feedback(trajectories: Any, seed: int) -> list[Feedback]:
    """A reward that always differs between siblings, a goal that one of them achieved, and a correction."""
    return [
        Feedback(
            reward=float(number), success=False, achieved_prompts=(" red",) if number % 2 else None, correction=" blue"
        )
        for number in range(len(trajectories))
    ]


def trainer(policy: TextPolicy, config: TrainingConfig, folder: Path | None = None) -> Trainer:
    starts = GoalString(2).items("train")
    source = EpisodeSource(environments=SingleTurn, starts=starts, feedback=feedback, **sampler_for(policy, config))
    options = SelfDistillOptions(outcome_weight=1.0) if config.teacher.update == "ema" else RelabelOptions()
    return Trainer(policy, source, options.build(), config, checkpoint_folder=folder)


@pytest.fixture
def base(tmp_path: Path) -> str:
    tiny_policy(words=WORDS).save(tmp_path / "base")
    return str(tmp_path / "base")


def fresh(base: str) -> TextPolicy:
    return open_policy(base, adapter=AdapterConfig(r=2))


def adapter(policy: TextPolicy) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in trained_weights(policy.module).values()])


@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_with_the_same_bits(way: str, base: str, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update=WAYS[way])
    straight = fresh(base)
    untrained = adapter(straight)
    trainer(straight, config).train()
    assert not torch.equal(untrained.to(straight.model.dtype), adapter(straight))

    folder = tmp_path / "checkpoints"
    trainer(fresh(base), config.model_copy(update={"stop": StopConfig(max_steps=2)}), folder).train()
    resumed = open_policy(str(newest_checkpoint(folder)), adapter=AdapterConfig(r=2))
    second = trainer(resumed, config, folder)
    second.resume(newest_checkpoint(folder))
    second.train()
    assert torch.equal(adapter(straight), adapter(resumed))


def test_the_base_stays_as_it_is_to_the_bit(base: str) -> None:
    policy = fresh(base)
    before = {name: weight.clone() for name, weight in policy.module.named_parameters()}
    run = trainer(policy, CONFIG.model_copy(update={"beta": 0.1, "weight_decay": 0.1}))
    run.train()
    moved = {
        name for name, weight in policy.module.named_parameters() if not torch.equal(weight, before[name])
    }  # fmt: skip
    assert moved == trained_weights(policy.module).keys()
    optimized = [weight for group in run.optimizer.param_groups for weight in group["params"]]
    assert sum(each.numel() for each in optimized) == adapter(policy).numel()


def test_a_checkpoint_holds_the_adapter_alone(base: str, tmp_path: Path) -> None:
    policy = fresh(base)
    trainer(policy, CONFIG.model_copy(update={"beta": 0.1}), tmp_path / "checkpoints").train()
    checkpoint = newest_checkpoint(tmp_path / "checkpoints")
    files = {path.name: path.stat().st_size for path in checkpoint.glob("*.safetensors")}
    assert files.keys() - {"hindsight.safetensors"} == {"adapter_model.safetensors", "optimizer.safetensors"}
    assert files["adapter_model.safetensors"] < 4 * adapter(policy).numel() + 10_000
    assert files["optimizer.safetensors"] < 2 * 4 * adapter(policy).numel() + 20_000
