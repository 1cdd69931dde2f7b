"""TensorBoard reads back what it was given, and a run that goes on replaces what came after."""

from pathlib import Path

import pytest

pytest.importorskip("tensorboard", reason="pip install 'backsight[tensorboard]'")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backsight.reports.trackers.tensorboard import FOLDER, TensorBoard


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder / FOLDER))
    events.Reload()
    return events


def test_numbers_and_samples_come_back(tmp_path: Path) -> None:
    tracker = TensorBoard(tmp_path, {"seed": 3}, 0)
    tracker.log(1, {"reward": 0.5, "loss/imitation": 2.0})
    tracker.log(2, {"reward": 0.75})
    tracker.log_samples(2, [[2, "say <b>", "red", 1.0, -0.5]])
    tracker.close()
    events = read(tmp_path)
    assert [(each.step, each.value) for each in events.Scalars("reward")] == [(1, 0.5), (2, 0.75)]
    (text,) = events.Tensors("samples/text_summary")
    assert b"    prompt: say <b>" in text.tensor_proto.string_val[0]


def test_a_run_that_goes_on_replaces_what_came_after(tmp_path: Path) -> None:
    first = TensorBoard(tmp_path, {}, 0)
    for step in (1, 2, 3):
        first.log(step, {"reward": float(step)})
    first.close()
    second = TensorBoard(tmp_path, {}, 1)
    second.log(2, {"reward": 9.0})
    second.close()
    assert [(each.step, each.value) for each in read(tmp_path).Scalars("reward")] == [(1, 1.0), (2, 9.0)]
