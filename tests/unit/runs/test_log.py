"""The log of a run passes everything on, in order, and says when something is left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight.evaluation.evaluator import Scores
from backsight.evaluation.statistics import Estimate
from backsight.presets.base import find_preset
from backsight.reports import packed_lines
from backsight.reports.progress import TrainingProgress
from backsight.reports.run_folder import Recorder
from backsight.reports.trackers.base import TRACKERS
from backsight.runs.log import RunLog
from backsight.traces import Trace
from backsight.training.progress import Progress
from backsight.types import Action, Example, Feedback, Group, Step, Trajectory

HEARD: list[Any] = []


class Listener:
    """A tracker that keeps what it hears."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        HEARD.append(("opened", folder.name, settings["seed"], step))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if values.get("reward") == -1.0:
            raise OSError("away")
        HEARD.append((step, dict(values)))

    def log_samples(self, step: int, rows: Sequence[Sequence[Any]]) -> None:
        HEARD.append((step, len(rows)))

    def close(self) -> None:
        HEARD.append("closed")


ATTEMPT = Trajectory(None, (Step("p", Action((5,), torch.zeros(1), "x")),), Feedback(reward=1.0))
GROUP = Group(None, (ATTEMPT,), (torch.ones(1),))
ONE_T = torch.zeros(1)
TRACE = Trace(Example(("p",), ((5,),), "outcome"), (), ("x",), ONE_T, ONE_T, ((),), ONE_T, ONE_T)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLog:
    HEARD.clear()
    monkeypatch.setattr(TRACKERS, "own", {**TRACKERS.own, "listener": Listener})
    config = find_preset("sentiment").config.model_copy(update={"report_to": ("listener",)})
    recorder = Recorder.create(tmp_path, "mine", "mine", "seed: 0\n")
    return RunLog(recorder, TrainingProgress("outcome", is_shown=False), config, 0)


def at(step: int) -> Progress:
    return Progress(step=step)


def test_a_step_and_an_evaluation_go_to_the_folder_and_to_the_trackers(log: RunLog) -> None:
    scores = Scores(Estimate(0.5, 0.4, 0.6, 9), {"right": Estimate(0.25, 0.2, 0.3, 9)}, (ATTEMPT,))
    log.add_evaluation(0, {"test": scores})
    log.record(at(1), {"reward": 0.5}, [GROUP], [TRACE])
    log.flush()
    log.close()
    assert HEARD == [
        ("opened", "mine", 0, 0),
        (0, {"eval/test/reward": 0.5, "eval/test/right": 0.25}),
        (1, {"reward": 0.5}),
        (1, 1),
        "closed",
    ]
    folder = log.recorder
    assert [row["step"] for row in folder.metrics()] == [1] and len(folder.trajectories()) == 1
    assert folder.evaluations()[0]["scores"]["right"]["mean"] == 0.25
    assert folder.answers.read(0)[0]["completions"] == ["x"] and folder.traces.read(1)[0]["pieces"] == ["x"]


def test_a_tracker_that_fails_is_told_and_the_run_goes_on(log: RunLog) -> None:
    log.record(at(1), {"reward": -1.0}, [GROUP], [])
    log.flush()
    log.record(at(2), {"reward": 1.0}, [GROUP], [])
    log.flush()
    (message,) = (row["message"] for row in log.recorder.messages())
    assert message.startswith("report_to: listener: fails") and len(log.recorder.metrics()) == 2


def test_the_user_is_told_once_that_no_more_traces_are_kept(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_lines, "LARGEST_FOLDER", 0)
    for step in (1, 2, 3):
        log.record(at(step), {"reward": 1.0}, [GROUP], [TRACE])
        log.flush()
    assert [row["message"] for row in log.recorder.messages()] == [
        "traces: there are 200 MB of them, and no more are kept"
    ]
    assert log.recorder.traces.steps() == []


def test_the_user_is_told_once_that_no_more_answers_are_kept(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_lines, "LARGEST_FOLDER", 0)
    for step in (0, 5, 9):
        log.add_evaluation(step, {"test": Scores(Estimate(0.5, 0.4, 0.6, 9), {}, (ATTEMPT,))})
    (message,) = (row["message"] for row in log.recorder.messages())
    assert message == "answers: there are 200 MB of them, and no more are kept"
    assert log.recorder.answers.steps() == [] and len(log.recorder.evaluations()) == 3


def test_a_run_that_logs_seldom_writes_seldom(log: RunLog) -> None:
    log.config = log.config.model_copy(update={"logging_steps": 2})
    for step in (1, 2, 3):
        log.record(at(step), {"reward": 1.0}, [GROUP], [])
    log.flush()
    assert [row["step"] for row in log.recorder.metrics()] == [2]
