"""The only writer of a run folder. What is in it stands in `reader.py`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import RunFolderError
from backsight.reports.files import write_whole
from backsight.reports.reader import CONFIG, EVALUATIONS, MESSAGES, METRICS, TRAJECTORIES, Row, RunReader, read_rows
from backsight.types import Group, Trajectory

if TYPE_CHECKING:
    from torch import Tensor


class Recorder(RunReader):
    """Appends whole lines, so that a run that is killed loses at most the line it was writing.

    Made by `create` for a new run and by `reopen` for one that goes on.
    """

    @classmethod
    def create(cls, output_dir: Path, run_name: str | None, default_name: str, config_yaml: str) -> Recorder:
        """Make a folder that nobody has used: `run_name`, or else `default_name`, numbered when it is taken.

        Raises:
            RunFolderError: `run_name` is taken, or the folder cannot be made.
        """
        for name in _names(run_name, default_name):
            folder = output_dir / name
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                remedy = f"cannot be made ({error.strerror}); choose another output_dir"
                raise RunFolderError("run folder", folder, remedy) from error
            write_whole(folder / CONFIG, config_yaml)
            return cls(folder)
        remedy = f"is taken; go on with `backsight train --resume {folder}`, or choose another run_name"
        raise RunFolderError("run_name", folder, remedy)

    @classmethod
    def reopen(cls, folder: Path, step: int, config_yaml: str) -> Recorder:
        """Go on after `step`: lines of later steps are dropped, for they will be written again.

        Raises:
            RunFolderError: `folder` is not a run folder, or a line in it is damaged.
        """
        recorder = cls(folder)
        for path in (folder / name for name in (METRICS, TRAJECTORIES, EVALUATIONS, MESSAGES)):
            if path.exists():
                write_whole(path, "".join(_lines(row for row in read_rows(path) if row["step"] <= step)))
        write_whole(recorder.config, config_yaml)
        return recorder

    def add_metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._append(METRICS, [{"step": step, **values}])

    def add_trajectories(self, step: int, groups: Sequence[Group]) -> None:
        """One line a turn of an attempt; `reward` and `advantage` are the turn's, `rewards` the attempt's."""
        self._append(TRAJECTORIES, (row for group in groups for row in _group_rows(step, group)))

    def add_message(self, step: int, message: str) -> None:
        """What people were told while the run went on."""
        self._append(MESSAGES, [{"step": step, "message": message}])

    def add_evaluation(self, step: int, split: str, scores: Mapping[str, Any]) -> None:
        self._append(EVALUATIONS, [{"step": step, "split": split, "scores": scores}])

    def _append(self, name: str, rows: Iterable[Row]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.writelines(_lines(rows))


def _names(run_name: str | None, default_name: str) -> Iterable[str]:
    if run_name is not None:
        return [run_name]
    return itertools.chain([default_name], (f"{default_name}-{number}" for number in itertools.count(2)))


def _group_rows(step: int, group: Group) -> Iterator[Row]:
    for index, trajectory in enumerate(group.trajectories):
        advantages = (
            _of_turns(trajectory, group.advantages[index]) if group.advantages else [None] * len(trajectory.steps)
        )
        turns = zip(trajectory.steps, trajectory.rewards, advantages, strict=True)
        for turn, (environment_step, reward, advantage) in enumerate(turns):
            yield {
                "step": step,
                "attempt": index,
                "turn": turn,
                "prompt": environment_step.observation,
                "completion": environment_step.action.text,
                "rewards": trajectory.feedback.rewards,
                "reward": reward,
                "success": trajectory.feedback.success,
                "advantage": advantage,
            }


def _of_turns(trajectory: Trajectory, advantages_T: Tensor) -> list[float]:
    """The mean advantage of each turn's decisions."""
    lengths = [len(step.action.log_probs) for step in trajectory.steps]
    return [float(part.mean()) for part in advantages_T.split(lengths)]  # type: ignore[no-untyped-call]


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """JSON in plain ASCII: whatever a model wrote, a line stays a line. What is not JSON becomes text."""
    return (json.dumps(row, default=str) + "\n" for row in rows)
