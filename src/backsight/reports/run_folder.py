"""The run folder: the names of its files, their reader and their writer.

runs/NAME/
├── config.yaml         everything the run depends on
├── metrics.jsonl       one line for each logged step: step, and numbers by name
├── trajectories.jsonl  one line for each turn of an attempt: prompt, completion, rewards, success and advantage
├── messages.jsonl      one line for each message to the user
├── evaluations.jsonl   one line for each evaluated split: step, split, scores
├── traces/             packed lines: what some steps did to some attempts, token by token
├── answers/            packed lines: every attempt of an evaluation
├── checkpoints/        the states that training can be resumed from
└── policy/             the trained policy, with its model card

Tensors: T decisions of a trajectory.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from backsight.disk import clean, disk_errors, make_folder, sync
from backsight.errors import RunFolderError
from backsight.reports.files import write_whole
from backsight.reports.packed_lines import PackedFolder, as_json
from backsight.reports.trace_rows import feedback_row, trace_row
from backsight.traces import Trace
from backsight.types import Group, Trajectory

if TYPE_CHECKING:
    from torch import Tensor


CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
TRAJECTORIES = "trajectories.jsonl"
EVALUATIONS = "evaluations.jsonl"
MESSAGES = "messages.jsonl"
CHECKPOINTS = "checkpoints"
TRACES = "traces"
ANSWERS = "answers"
ENGINE = "engine"
"""Folder of what an engine writes, such as the log of its server."""
POLICY = "policy"
LINES = (METRICS, TRAJECTORIES, EVALUATIONS, MESSAGES)
"""Files with a line for each thing that happened."""
LOST_LINES = "the run ends here; make room, and resume it: it goes on from its newest checkpoint"

Row = dict[str, Any]


class Scored(Protocol):
    """The part of an evaluation's scores that is kept: the attempts at each item."""

    @property
    def attempts(self) -> Sequence[Sequence[Trajectory]]: ...


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
        self.traces = PackedFolder(folder / TRACES)
        self.answers = PackedFolder(folder / ANSWERS)

    def metrics(self) -> list[Row]:
        return read_rows(self.folder / METRICS)

    def trajectories(self) -> list[Row]:
        return read_rows(self.folder / TRAJECTORIES)

    def messages(self) -> list[Row]:
        return read_rows(self.folder / MESSAGES)

    def evaluations(self) -> list[Row]:
        return read_rows(self.folder / EVALUATIONS)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a JSON Lines file of a run; none when it does not exist yet.

    A last line that is only half there (the run was killed while it wrote) is left out.

    Raises:
        RunFolderError: when an earlier line is damaged, or the file cannot be read.
    """
    if not path.exists():
        return []
    try:
        *lines, _half = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise RunFolderError("run folder", path, f"cannot be read ({error.strerror}); mend its rights") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise RunFolderError(f"{path}:{number}", line, "is not JSON; mend or delete the line") from None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise RunFolderError(f"{path}:{number}", line, "says no step; mend or delete the line")
        rows.append(row)
    return rows


class Recorder(RunReader):
    """A writer of a run folder. It appends whole lines, so that a run that is killed loses at most one line.

    It is made by `create` for a new run and by `reopen` for one that goes on.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder of a run to write to it.

        Raises:
            RunFolderError: when `folder` is not a run folder, or something else lies in the place of a part of it.
        """
        super().__init__(folder)
        for place in (self.checkpoints, self.policy, self.traces.folder, self.answers.folder):
            if os.path.lexists(place) and not place.is_dir():  # a link that leads nowhere does not exist
                raise RunFolderError("run folder", place, "is no folder, and a folder belongs there; move it away")
        for path in (folder / name for name in LINES):
            if os.path.lexists(path) and not path.is_file():
                raise RunFolderError("run folder", path, "is no file, and a file belongs there; move it away")
        self._told = {_key(name, row) for name in (EVALUATIONS, MESSAGES) for row in read_rows(folder / name)}
        """What is told once a step: scores of a split, and messages."""

    @classmethod
    def create(cls, output_dir: Path, run_name: str | None, default_name: str, config_yaml: str) -> Recorder:
        """Make a new run folder: `run_name`, or else `default_name`, numbered when it is taken.

        Raises:
            RunFolderError: when `run_name` is taken, or the folder cannot be made.
        """
        for name in _names(run_name, default_name):
            folder = output_dir / name
            try:
                make_folder(folder, {CONFIG: config_yaml})
            except FileExistsError:
                continue
            except OSError as error:
                remedy = f"cannot be made ({error.strerror}); choose another output_dir"
                raise RunFolderError("run folder", folder, remedy) from error
            return cls(folder)
        remedy = f"is taken; go on with `backsight train --resume {folder}`, or choose another run_name"
        raise RunFolderError("run_name", folder, remedy)

    @classmethod
    def reopen(cls, folder: Path, step: int, config_yaml: str) -> Recorder:
        """Open the folder of a run that goes on after `step`. Lines of later steps are deleted, to be written again.

        A `step` below 0 deletes all of them: the run starts anew.

        Raises:
            RunFolderError: when `folder` is not a run folder, a line in it is damaged, or the disk fails.
        """
        config = cls(folder).config
        with disk_errors(folder, "nothing is lost; mend the folder's rights, or make room"):
            clean(folder)
            clean(folder / CHECKPOINTS)
            for name in (TRACES, ANSWERS):
                PackedFolder(folder / name).forget_after(step)
        for path in (folder / name for name in LINES):
            if path.exists():
                write_whole(path, "".join(_lines(row for row in read_rows(path) if row["step"] <= step)))
        write_whole(config, config_yaml)
        return cls(folder)

    def add_metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._append(METRICS, [{"step": step, **values}])

    def add_trajectories(self, step: int, groups: Sequence[Group]) -> None:
        """Write one line for each turn: `reward` and `advantage` are the turn's, `rewards` the attempt's."""
        self._append(TRAJECTORIES, (row for group in groups for row in attempt_rows(step, group)))

    def add_traces(self, step: int, traces: Sequence[Trace]) -> bool:
        """Write what the step did to some rows; return False when the run has its share of traces already."""
        self._check_there()
        return self.traces.write(step, map(trace_row, traces))

    def add_answers(self, step: int, evaluation: Mapping[str, Scored]) -> bool:
        """Write every attempt of an evaluation; return False when the run has its share of them already."""
        self._check_there()
        rows = (row for split, own in evaluation.items() for row in _answer_rows(split, own.attempts))
        return self.answers.write(step, rows)

    def add_message(self, step: int, message: str) -> None:
        """Write a message that the user was told while the run went on, unless it is there already for this step."""
        self._append_once(MESSAGES, {"step": step, "message": message})

    def add_evaluation(self, step: int, split: str, scores: Mapping[str, Any]) -> None:
        """Write the scores of a split, unless they are there already for this step."""
        self._append_once(EVALUATIONS, {"step": step, "split": split, "scores": scores})

    def sync(self) -> None:
        """Wait until every line is on the disk."""
        self._check_there()
        with disk_errors(self.folder, LOST_LINES):
            for path in (self.folder / name for name in LINES):
                if path.exists():
                    sync(path)

    def _append_once(self, name: str, row: Row) -> None:
        """Append a row that a run which was killed may have written before."""
        if (key := _key(name, row)) not in self._told:
            self._append(name, [row])
            self._told.add(key)

    def _append(self, name: str, rows: Iterable[Row]) -> None:
        self._check_there()
        path = self.folder / name
        with disk_errors(path, LOST_LINES), path.open("a", encoding="utf-8") as file:
            file.writelines(_lines(rows))

    def _check_there(self) -> None:
        if not self.config.is_file():
            remedy = "is gone, and what it held; the run ends here, and nothing more of it is saved"
            raise RunFolderError("run folder", self.folder, remedy)


def _key(name: str, row: Row) -> tuple[str, int, str]:
    return name, row["step"], str(row.get("split", row.get("message")))


def _names(run_name: str | None, default_name: str) -> Iterable[str]:
    if run_name is not None:
        return [run_name]
    return itertools.chain([default_name], (f"{default_name}-{number}" for number in itertools.count(2)))


def attempt_rows(step: int, group: Group) -> Iterator[Row]:
    """Yield the lines of a group's attempts, one for each turn."""
    for index, trajectory in enumerate(group.trajectories):
        number = None if trajectory.key is None else trajectory.key.group
        advantages = (
            _mean_by_turn(trajectory, group.advantages[index]) if group.advantages else [None] * len(trajectory.steps)
        )
        turns = zip(trajectory.steps, trajectory.rewards, advantages, strict=True)
        for turn, (environment_step, reward, advantage) in enumerate(turns):
            yield {
                "step": step,
                "group": number,
                "attempt": index,
                "turn": turn,
                "prompt": environment_step.observation,
                "completion": environment_step.action.text,
                "rewards": trajectory.feedback.rewards,
                "reward": reward if trajectory.is_scored else None,
                "success": trajectory.feedback.success,
                "advantage": advantage,
                "num_tokens": len(environment_step.action.log_probs),
                "cut_off": trajectory.was_cut_off,
            }


def _answer_rows(split: str, attempts: Sequence[Sequence[Trajectory]]) -> Iterator[Row]:
    """Yield a row for each attempt: what it read and said in its turns, and what was revealed."""
    for place, own in enumerate(attempts):
        for number, each in enumerate(own):
            yield {
                "split": split,
                "item": str(getattr(each.start, "id", place)),
                "attempt": number,
                "prompts": each.prompts,
                "completions": [step.action.text for step in each.steps],
                "reward": each.total_reward if each.is_scored else None,
                "rewards": finite(dict(each.feedback.rewards)),
                "feedback": feedback_row(each.feedback),
                "num_tokens": each.num_decisions,
                "cut_off": each.was_cut_off,
            }


def _mean_by_turn(trajectory: Trajectory, advantages_T: Tensor) -> list[float]:
    """Return the mean advantage of each turn's decisions."""
    lengths = [len(step.action.log_probs) for step in trajectory.steps]
    return [float(part.mean()) for part in advantages_T.split(lengths)]  # type: ignore[no-untyped-call]


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Return the rows as lines of ASCII JSON, whatever text a model wrote. Values that are not JSON become text."""
    return (json.dumps(finite(row), default=as_json, allow_nan=False) + "\n" for row in rows)


def finite(value: Any) -> Any:
    """Return a value with null in place of numbers that are not finite, for which JSON has no words."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: finite(own) for key, own in value.items()}
        case list() | tuple():
            return [finite(own) for own in value]
        case _:
            return value
