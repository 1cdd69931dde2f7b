"""A run of every kind of policy that reads text: from a folder to a folder, and to the same bits when it is resumed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import sampler_for
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from toy_tasks import WORDS, GoalString, WhichWord

import backsight
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.policies.opening import open_policy
from backsight.policies.text import TextPolicy
from backsight.tasks.base import SingleTurn, Task
from backsight.training.checkpoints import newest_checkpoint
from backsight.training.config import StopConfig, TeacherConfig, TrainingConfig
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Feedback, Trajectory

KINDS: dict[str, tuple[Callable[[], TextPolicy], Task]] = {
    "decoder": (lambda: tiny_policy(words=WORDS), GoalString(1)),
    "t5": (lambda: tiny_seq2seq("t5", WORDS), GoalString(1)),
    "bart": (lambda: tiny_seq2seq("bart", WORDS), GoalString(1)),
    "bert": (lambda: tiny_classifier(WORDS), WhichWord()),
}
SMALL: dict[str, Any] = {"prompts_per_step": 3, "num_generations": 2, "max_completion_length": 3, "learning_rate": 1e-2}
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one step off in bf16": {"max_staleness": 1, "loss_type": "clip", "bf16": True},
    "with a reference and a critic": {"algorithm": "ppo", "beta": 0.1},
    "with a teacher": {"teacher": TeacherConfig(check_steps=0)},
}


def weights(policy: TextPolicy) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().float() for parameter in policy.module.parameters()])


def by_number(trajectories: Sequence[Trajectory], seed: int) -> list[Feedback]:
    """A reward that always differs between siblings, and something to say to a teacher."""
    return [Feedback(reward=float(number), success=False, correction="red") for number in range(len(trajectories))]


def train(policy: TextPolicy, task: Task, config: TrainingConfig, folder: Path, resume: bool = False) -> TextPolicy:
    starts = task.items("train")
    source = EpisodeSource(environments=SingleTurn, starts=starts, feedback=by_number, **sampler_for(policy, config))
    has_teacher = "teacher" in config.model_fields_set
    options = SelfDistillOptions(outcome_weight=1.0) if has_teacher else OutcomeOptions()
    trainer = Trainer(policy, source, options.build(), config, checkpoint_folder=folder)
    if resume:
        trainer.resume(newest_checkpoint(folder))
    trainer.train()
    return policy


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_resumed_run_ends_with_the_same_bits(kind: str, way: str, tmp_path: Path) -> None:
    make, task = KINDS[kind]
    settings = {"algorithm": "rloo", **SMALL, **WAYS[way]}
    half, whole = (TrainingConfig(stop=StopConfig(max_steps=steps), **settings) for steps in (2, 4))
    straight = train(make(), task, whole, tmp_path / "straight")
    assert not torch.equal(weights(straight), weights(make()))
    train(make(), task, half, tmp_path / "halves")
    checkpoint = newest_checkpoint(tmp_path / "halves")
    resumed = train(open_policy(str(checkpoint), labels=task.labels), task, whole, tmp_path / "halves", resume=True)
    assert torch.equal(weights(straight), weights(resumed))


@pytest.mark.parametrize("kind", KINDS)
def test_finetune_takes_a_folder_and_leaves_one(kind: str, tmp_path: Path) -> None:
    make, task = KINDS[kind]
    make().save(tmp_path / "model")

    def length(completion_ids: list[Any], **columns: Any) -> list[float]:
        return [float(sum(tokens)) for tokens in completion_ids]

    settings = {**SMALL, "hindsight": "outcome", "eval_items": 4, "stop": {"max_steps": 2}, "show_progress": False}
    result = backsight.finetune(
        str(tmp_path / "model"), task, reward_funcs=length, output_dir=str(tmp_path / "runs"), **settings
    )
    assert result.stop_reason == "max_steps=2 reached" and set(result.after) == {"test"}
    reopened = open_policy(str(result.folder / "policy"), labels=task.labels)
    assert type(reopened) is type(make()) and torch.equal(weights(reopened), weights(result.policy))
    assert not torch.equal(weights(reopened), weights(make()))
    again = backsight.evaluate(str(result.folder), task, eval_items=4, max_completion_length=3, reward_funcs=length)
    assert again["test"].reward.mean == result.after["test"].reward.mean
