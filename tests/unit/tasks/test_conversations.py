"""Conversations in which turns were judged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.forms import PromptForm

USER = {"role": "user", "content": "A latte\nplease."}
TURN = {"role": "assistant", "content": "Milk?", "reward": 1}
ANSWER = {"role": "user", "content": "No, I said a latte."}
SECOND = {"role": "assistant", "content": "Sorry.", "reward": 0.0, "feedback": "too short", "correction": "A latte."}
UNJUDGED = {"role": "assistant", "content": "Bye."}
CONVERSATION = [USER, TURN, ANSWER, SECOND, {"role": "user", "content": "Thanks."}, UNJUDGED]


def write(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def conversations(path: Path, *rows: list[dict[str, Any]], **options: Any) -> ConversationsTask:
    source = write(path / "rows.jsonl", [{"messages": messages} for messages in rows])
    return ConversationsTask(source, test=source, **options)


def known(reward: float | None = None, feedback: str | None = None, correction: str | None = None) -> dict[str, Any]:
    return {"reward": reward, "feedback": feedback, "correction": correction}


def test_every_judged_turn_is_an_item(tmp_path: Path) -> None:
    first, second = conversations(tmp_path, CONVERSATION).items("train")
    assert (first.id, second.id) == ("1.1", "1.2")
    assert first.prompt == "user: A latte\n  please.\nassistant:"
    assert first.target == " Milk?"
    assert first.columns == known(reward=1.0) | {"reward_mean": 0.5}
    assert second.prompt == f"{first.prompt} Milk?\nuser: No, I said a latte.\nassistant:"
    assert second.columns == known(0.0, "too short", " A latte.") | {"reward_mean": 0.5}


def test_messages_lose_what_nobody_knew_when_they_were_said(tmp_path: Path) -> None:
    first, second = conversations(tmp_path, CONVERSATION).in_form(PromptForm(is_chat=True)).items("train")
    assert first.prompt == [USER]
    assert second.prompt == [USER, {"role": "assistant", "content": "Milk?"}, ANSWER]
    assert (second.target, second.columns["correction"]) == ("Sorry.", "A latte.")


def test_the_next_turn_as_feedback_yields_to_what_was_written_down(tmp_path: Path) -> None:
    task = conversations(tmp_path, CONVERSATION, next_turn_is_feedback=True)
    assert [item.columns["feedback"] for item in task.items("train")] == ["No, I said a latte.", "too short"]
    unjudged = [USER, UNJUDGED, ANSWER, UNJUDGED]
    (item,) = conversations(tmp_path, unjudged, next_turn_is_feedback=True).items("train")
    assert (item.id, item.columns["feedback"]) == ("1.1", "No, I said a latte.")


def test_an_opening_turn_has_a_prompt_as_text_only(tmp_path: Path) -> None:
    opening = [{"role": "assistant", "content": "Welcome.", "reward": 1}, USER, TURN]
    assert [item.prompt for item in conversations(tmp_path, opening).items("train")][0] == "assistant:"
    assert [item.id for item in conversations(tmp_path, opening).in_form(PromptForm(is_chat=True)).items("train")] == [
        "1.2"
    ]


def test_a_conversation_and_its_prefixes_stay_on_one_side(tmp_path: Path) -> None:
    rows = []
    for number in range(200):
        opening = {"role": "user", "content": f"Order {number}"}
        rows += [{"messages": [opening, TURN]}, {"messages": [opening, TURN, ANSWER, SECOND]}]
    task = ConversationsTask(write(tmp_path / "rows.jsonl", rows))
    openings = {split: {item.prompt.split("\n")[0] for item in task.items(split)} for split in ("train", "test")}
    assert not openings["train"] & openings["test"]
    assert len(openings["train"] | openings["test"]) == 200
    assert 8 <= len(openings["test"]) <= 35
    assert [item.id for item in task.items("test")] == [
        item.id for item in ConversationsTask(write(tmp_path / "again.jsonl", rows)).items("test")
    ]


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ("hello", "column 'messages'"),
        ([], "column 'messages'"),
        ([{"role": "user"}], "column 'messages'"),
        ([USER, {**TURN, "reward": "good"}], r"row 1, messages\[1\].reward: 'good': write a finite number"),
        ([USER, {**TURN, "reward": float("nan")}], r"messages\[1\].reward"),
        ([USER, {**TURN, "feedback": 7}], r"messages\[1\].feedback: 7: write text"),
        ([USER, {**TURN, "correction": ["x"]}], r"messages\[1\].correction"),
        ([USER, UNJUDGED], "split 'train': .*no judged turn in its 1 rows"),
        ([USER, {**TURN, "content": " "}], "no judged turn"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, messages: Any, place: str) -> None:
    with pytest.raises(DataError, match=place):
        conversations(tmp_path, messages)


def test_one_conversation_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no judged turn in its 0 rows"):
        ConversationsTask(write(tmp_path / "rows.jsonl", [{"messages": CONVERSATION}]))


@pytest.mark.shared_data
def test_real_turns(shared_data: Path, tmp_path: Path) -> None:
    """People's 0/1 rewards of the last turn, as conversations."""
    with gzip.open(shared_data / "dialogue/taskmaster4_coffee/human_reward.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    roles = {"user": "user", "agent": "assistant", "api": "tool"}
    written = []
    for row in rows:
        turns = [*row["context"], {**row["generation"], "reward": row["reward"]}]
        written.append(
            {
                "messages": [
                    {"role": roles[turn["role"]], "content": turn.get("text") or json.dumps(turn)}
                    | ({"reward": turn["reward"]} if "reward" in turn else {})
                    for turn in turns
                ]
            }
        )
    task = ConversationsTask(write(tmp_path / "rows.jsonl", written))
    assert len(task.items("train")) + len(task.items("test")) == len(rows)
    assert task.items("train")[0].columns["reward_mean"] == pytest.approx(0.86, abs=0.02)
    assert 0.05 < len(task.items("test")) / len(rows) < 0.2
    assert len(task.items("test_good")) == sum(item.columns["reward"] for item in task.items("test"))
