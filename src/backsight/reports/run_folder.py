"""The run folder: the names of its files, their reader and their writer.

runs/NAME/
├── config.yaml         everything the run depends on
├── metrics.jsonl       one line for each logged step: step, and numbers by name
├── trajectories.jsonl  one line for each turn of an attempt: prompt, completion, rewards, success and advantage
├── messages.jsonl      one line for each message to the user
├── evaluations.jsonl   one line for each evaluated split: step, split, scores
├── checkpoints/        the states that training can be resumed from
└── policy/             the trained policy

Tensors: T decisions of a trajectory.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import RunFolderError
from backsight.reports.files import write_whole
from backsight.types import Group, Trajectory

if TYPE_CHECKING:
    from torch import Tensor


CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
TRAJECTORIES = "trajectories.jsonl"
EVALUATIONS = "evaluations.jsonl"
MESSAGES = "messages.jsonl"
CHECKPOINTS = "checkpoints"
POLICY = "policy"

Row = dict[str, Any]


class RunReader:
    """A reader of what a run has written so far. A run that was killed, or still goes on, can be read as well."""

    def __init__(self, folder: Path) -> None:
        """Open the folder of a run.

        Raises:
            RunFolderError: when `folder` is not a run folder.
        """
        if not (folder / CONFIG).is_file():
            raise RunFolderError("run folder", folder, f"has no {CONFIG}; name a folder that a run has made")
        self.folder = folder
        self.config = folder / CONFIG
        self.checkpoints = folder / CHECKPOINTS
        self.policy = folder / POLICY

    def metrics(self) -> list[Row]:
        return read_rows(self.folder / METRICS)

    def trajectories(self) -> list[Row]:
        return read_rows(self.folder / TRAJECTORIES)

    def messages(self) -> list[Row]:
        return read_rows(self.folder / MESSAGES)

    def evaluations(self) -> list[Row]:
        return read_rows(self.folder / EVALUATIONS)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file; none when it does not exist yet.

    A last line that is only half there (the run was killed while it wrote) is left out.

    Raises:
        RunFolderError: when an earlier line is damaged.
    """
    if not path.exists():
        return []
    *lines, _half = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError:
            raise RunFolderError(f"{path}:{number}", line, "is not JSON; mend or delete the line") from None
    return rows


class Recorder(RunReader):
    """A writer of a run folder. It appends whole lines, so that a run that is killed loses at most one line.

    It is made by `create` for a new run and by `reopen` for one that goes on.
    """

    @classmethod
    def create(cls, output_dir: Path, run_name: str | None, default_name: str, config_yaml: str) -> Recorder:
        """Make a new run folder: `run_name`, or else `default_name`, numbered when it is taken.

        Raises:
            RunFolderError: when `run_name` is taken, or the folder cannot be made.
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
        """Open the folder of a run that goes on after `step`. Lines of later steps are deleted, to be written again.

        Raises:
            RunFolderError: when `folder` is not a run folder, or a line in it is damaged.
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
        """Write one line for each turn: `reward` and `advantage` are the turn's, `rewards` the attempt's."""
        self._append(TRAJECTORIES, (row for group in groups for row in _group_rows(step, group)))

    def add_message(self, step: int, message: str) -> None:
        """Write a message that the user was told while the run went on."""
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
            _mean_by_turn(trajectory, group.advantages[index]) if group.advantages else [None] * len(trajectory.steps)
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
                "reward": reward if trajectory.is_scored else None,
                "success": trajectory.feedback.success,
                "advantage": advantage,
            }


def _mean_by_turn(trajectory: Trajectory, advantages_T: Tensor) -> list[float]:
    """Return the mean advantage of each turn's decisions."""
    lengths = [len(step.action.log_probs) for step in trajectory.steps]
    return [float(part.mean()) for part in advantages_T.split(lengths)]  # type: ignore[no-untyped-call]


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Return the rows as lines of ASCII JSON, whatever text a model wrote. Values that are not JSON become text."""
    return (json.dumps(row, default=str) + "\n" for row in rows)
