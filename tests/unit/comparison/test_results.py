"""What a comparison has found, worked out from records made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_tasks import GoalString

from backsight.comparison.request import Request, make_request
from backsight.comparison.results import RunRecord, summarize, summarize_interrupted
from backsight.config import RunConfig
from backsight.evaluation.statistics import student_p
from backsight.hindsight.options import OutcomeOptions
from backsight.training.config import StopConfig

FOLDER = Path("comparisons/toy")
BEFORE = {"test": {"reward": [0.0, 0.0, 1.0, 0.0]}}


def asked(*methods: str, general_text: Path | None = None) -> Request:
    stop = StopConfig(max_attempts=8)
    config = RunConfig(preset="toy", policy="pocket", hindsight=OutcomeOptions(), stop=stop, seed=5)
    return make_request(config, lambda config: GoalString(1), methods, 2, general_text)


def record(rewards: list[float | None], end: float, **scores: Any) -> RunRecord:
    points = [
        {
            "step": step,
            "steps": step,
            "attempts": 4 * step,
            "tokens": 0,
            "seconds": 0.5 * step,
            "rewards": {"test": mean},
        }
        for step, mean in ((0, 0.25), (2, end))
    ]
    cost = {"steps": 2, "gold_answers": 0, "attempts": 8, "tokens": 10 * end, "seconds": 1.0}
    return {"stop_reason": "enough", "cost": cost, "curve": points, "scores": {"test": {"reward": rewards, **scores}}}


RUNS = {
    "outcome": [record([0.0, 0.0, 1.0, 1.0], 0.5, only_here=[1.0] * 4), record([0.0, 1.0, 1.0, 0.0], 0.5)],
    "relabel": [record([1.0, 1.0, 1.0, 1.0], 1.0), record([1.0, 0.0, 1.0, 1.0], 0.75)],
}


def test_methods_are_averaged_over_seeds_and_compared_with_the_control_item_by_item() -> None:
    result = summarize(asked("outcome", "relabel"), FOLDER, BEFORE, RUNS, {})
    assert (result.control, result.unit, result.seeds, result.splits) == ("outcome", "attempts", [5, 6], ["test"])
    assert (result.preset, result.policy, result.budget) == ("toy", "pocket", {"max_attempts": 8})
    assert result.before["test"]["reward"].estimate.mean == 0.25
    outcome, relabel = result.methods["outcome"], result.methods["relabel"]
    assert outcome.against_control == {}
    assert set(outcome.scores["test"]) == {"reward"}, "what one seed alone has is left out"
    own = relabel.scores["test"]["reward"]
    assert (own.estimate.mean, own.by_seed) == (0.875, (1.0, 0.75))
    against = relabel.against_control["test"]["reward"]
    assert (against.baseline, against.policy, against.difference.mean) == (0.5, 0.875, 0.375)
    # the runs of outcome lie at 0.5 and 0.5, those of relabel at 1 and 0.75: the variance of a run is 1/64. The items
    # gain 1, 0.5, 0 and 0, with a variance of 11/48, of which the noise within the runs explains more than all
    assert against.p == pytest.approx(student_p(0.375 / 0.125, 2))
    assert relabel.cost == {"steps": 2, "gold_answers": 0, "attempts": 8, "tokens": 8.75, "seconds": 1.0}
    curve = relabel.curves["test"]
    assert (curve.used, curve.mean, curve.low, curve.high) == ((0, 8), (0.25, 0.875), (0.25, 0.75), (0.25, 1.0))


def test_a_method_that_failed_has_its_failure_and_nothing_else() -> None:
    result = summarize(
        asked("outcome", "relabel"), FOLDER, BEFORE, {**RUNS, "outcome": []}, {"outcome": "does not fit"}
    )
    failed = result.methods["outcome"]
    assert (failed.failure, failed.cost, failed.scores, failed.curves) == ("does not fit", {}, {}, {})
    assert result.methods["relabel"].against_control == {}, "there is nothing to compare with"


def test_general_text_stands_among_the_splits() -> None:
    result = summarize_interrupted(asked("outcome", general_text=Path("text.txt")), FOLDER)
    assert result.splits == ["test", "general text"]
    assert (result.interrupted, result.methods, result.before) == (True, {}, {})


def test_plain_values_leave_out_where_it_lies() -> None:
    values = summarize(asked("outcome"), FOLDER, BEFORE, {"outcome": RUNS["outcome"]}, {}).as_dict()
    assert "folder" not in values and "interrupted" not in values
    assert values["methods"]["outcome"]["scores"]["test"]["reward"]["estimate"]["mean"] == pytest.approx(0.5)
