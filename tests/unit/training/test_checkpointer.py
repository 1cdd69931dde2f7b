from collections.abc import Sequence
from pathlib import Path

from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.hindsight.options import OutcomeOptions
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import SingleTurn
from backsight.training.checkpointer import Checkpointer
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.progress import Progress
from backsight.training.trainer import EpisodeSource, Trainer
from backsight.types import Feedback, Trajectory


class Nobody:
    """A source of feedback that has nothing to say."""

    busy = ()

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        return [Feedback() for _ in trajectories]


def checkpointer() -> Checkpointer:
    policy = tiny_policy(words=WORDS)
    source = EpisodeSource(engine_for(policy), SingleTurn, GoalString(2).items("train"), Nobody())
    return Trainer(policy, source, OutcomeOptions().build(), TrainingConfig(stop=StopConfig(max_steps=1))).checkpointer


def test_a_step_is_written_once_also_after_a_resume(tmp_path: Path) -> None:
    first, progress = checkpointer(), Progress(step=3, attempts=7)
    first.save(tmp_path, progress, 2)
    written = (tmp_path / "step-000003").stat().st_ino
    first.save(tmp_path, progress, 2)
    second = checkpointer()
    loaded = second.load(tmp_path / "step-000003")
    assert (loaded.step, loaded.attempts) == (3, 7)
    second.save(tmp_path, loaded, 2)
    assert (tmp_path / "step-000003").stat().st_ino == written
    second.save(tmp_path, Progress(step=4), 2)
    assert (tmp_path / "step-000004").is_dir()
