"""A row of a trace says what was asked and said before a method changed it, and rounds its numbers."""

import json
from dataclasses import replace

import torch

from backsight.reports.trace_rows import feedback_row, trace_row
from backsight.traces import Alternative, Trace
from backsight.types import Action, AttemptKey, Example, Feedback, Step, Trajectory

ACTION = Action((5, 6), torch.zeros(2), "ab", is_truncated=True)
ATTEMPT = Trajectory(None, (Step("say red", ACTION),), Feedback(text="no", success=False), AttemptKey(3, 1))
SAMPLED = Example(
    ("say red",), (ACTION.value,), "outcome", torch.tensor([1.0, torch.nan]), torch.zeros(2), trajectory=ATTEMPT
)


def make(example: Example) -> Trace:
    half_T = torch.tensor([0.123456, -2.0])
    return Trace(example, ("prompt",), ("a", "b"), half_T, half_T, ((Alternative("x", -0.5),),) * 2, half_T, half_T)


def test_what_was_sampled_was_not_asked_or_said_otherwise() -> None:
    row = trace_row(make(SAMPLED))
    assert json.loads(json.dumps(row, allow_nan=False))["advantage"] == [1.0, None]
    assert (row["group"], row["attempt"], row["method"], row["places"]) == (3, 1, "outcome", ("prompt",))
    assert row["asked"] is None and row["said"] is None and row["told"] is None
    assert row["cut_off"] and row["turns"] == [2] and row["push"] == [0.1235, -2.0]
    assert row["feedback"] == {"success": False, "text": "no"}
    assert row["alternatives"] == [[["x", -0.5]], [["x", -0.5]]]
    assert row["imitation"] is None and row["teacher"] is None


def test_a_relabelled_prompt_stands_beside_what_was_asked() -> None:
    row = trace_row(make(replace(SAMPLED, prompts=("say ab",), method="relabel", teacher_prompts=("told",))))
    assert row["asked"] == ["say red"] and row["said"] is None
    assert row["told"] == ("told",)


def test_a_revised_response_stands_beside_what_was_said() -> None:
    row = trace_row(make(replace(SAMPLED, responses=((7, 8),), method="outcome+gold_anchor")))
    assert row["asked"] is None and row["said"] == ["ab"]


def test_a_row_without_an_attempt_has_no_place_among_attempts() -> None:
    row = trace_row(make(replace(SAMPLED, trajectory=None)))
    assert row["group"] is None and row["attempt"] is None and row["feedback"] == {} and not row["cut_off"]


def test_feedback_is_only_what_is_known() -> None:
    assert feedback_row(Feedback()) == {}
    found = feedback_row(Feedback(reward=1 / 3, correction="c", sources=("judge",)))
    assert found == {"reward": 0.3333, "correction": "c", "sources": ["judge"]}
