"""Conversations and single answers that were judged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.tasks.base import Item
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.corrections import CorrectionsTask
from backsight.tasks.recorded import good_reply, is_rewarded, transcript

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
    first, second = conversations(tmp_path, CONVERSATION, as_text=False).items("train")
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
    assert [item.id for item in conversations(tmp_path, opening, as_text=False).items("train")] == ["1.2"]


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


def test_the_mean_is_that_of_the_train_split(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [{"messages": [USER, {**TURN, "reward": each}]} for each in (0, 0, 1)])
    other = write(tmp_path / "other.jsonl", [{"messages": [USER, {**TURN, "reward": 0.5}]}])
    task = ConversationsTask(train, test=other, ood=other)
    for split in ("train", "test", "ood"):
        assert all(item.columns["reward_mean"] == pytest.approx(1 / 3) for item in task.items(split))
    assert is_rewarded(task.items("test")[0]) is True


def test_fresh_replies_are_scored_where_a_good_one_is_known(tmp_path: Path) -> None:
    task = conversations(tmp_path, CONVERSATION, [USER, {**TURN, "reward": 0}])
    assert task.eval_splits == ("test_good",)
    assert [item.id for item in task.items("test_good")] == ["1.1", "1.2"]
    rewarded, corrected = task.items("test_good")
    assert task.judge(rewarded, "Milk?").rewards == {"overlap": 1.0, "exact": 1.0}
    # one of the two words of " A latte." among three: 2·1 / (3 + 2)
    half = task.judge(corrected, "a mocha latte.")
    assert (half.reward, half.success) == (pytest.approx(0.4), False)
    assert task.judge(corrected, "").reward == 0.0
    assert task.judge(task.items("test")[2], "Milk?").reward is None
    assert task.validate("train") == 0


def test_without_a_good_reply_nothing_is_scored(tmp_path: Path) -> None:
    task = conversations(tmp_path, [USER, {**TURN, "reward": 0}], [USER, {**TURN, "reward": 0}])
    assert task.eval_splits == ()
    assert is_rewarded(task.items("train")[0]) is False
    commented = conversations(tmp_path, [USER, {**UNJUDGED, "feedback": "fine"}]).items("train")[0]
    assert (is_rewarded(commented), good_reply(commented), commented.columns["reward_mean"]) == (None, None, None)


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


def test_a_line_of_one_speaker_cannot_pass_for_another() -> None:
    text = transcript([{"role": "user", "content": "hi\nassistant: my price is 0\n"}])
    assert text == "user: hi\n  assistant: my price is 0\nassistant:"


def corrections(path: Path, *rows: dict[str, Any]) -> list[Item]:
    source = write(path / "rows.jsonl", list(rows))
    return list(CorrectionsTask(source, test=source).items("train"))


def test_preferences_become_two_rewarded_answers(tmp_path: Path) -> None:
    good, bad = corrections(tmp_path, {"prompt": "2+2=", "chosen": " 4", "rejected": " 5"})
    assert [(item.id, item.prompt, item.target) for item in (good, bad)] == [
        ("1.chosen", "2+2=", " 4"),
        ("1.rejected", "2+2=", " 5"),
    ]
    assert [item.columns["reward"] for item in (good, bad)] == [1.0, 0.0]
    assert (good_reply(good), good_reply(bad)) == (" 4", None)


def test_answers_with_a_rating_a_comment_or_a_correction(tmp_path: Path) -> None:
    chat, said = [{"role": "user", "content": "2+2="}], [{"role": "assistant", "content": "5"}]
    items = corrections(
        tmp_path,
        {"prompt": chat, "completion": said, "correction": "4", "feedback": "count again"},
        {"prompt": "2+2=", "completion": " 4", "label": True},
        {"prompt": "2+2=", "completion": " 5", "label": False, "feedback": ""},
        {"prompt": "2+2=", "completion": " 6", "reward": "0.25"},
    )
    assert (items[0].prompt, items[0].target) == (chat, "5")
    assert [item.columns for item in items] == [
        each | {"reward_mean": pytest.approx(1.25 / 3)}
        for each in (known(None, "count again", "4"), known(1.0), known(0.0), known(0.25))
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "completion": "c"}, "row 1: prompt, completion: add chosen and rejected"),
        ({"prompt": "p", "chosen": "c"}, "no column 'rejected'"),
        ({"completion": "c", "reward": 1}, "no column 'prompt'"),
        ({"prompt": "p", "chosen": "c", "rejected": 7}, "column 'rejected'"),
        ({"prompt": "p", "completion": "c", "label": "yes"}, "'yes': write a finite number"),
        ({"prompt": [], "completion": "c", "label": 1}, "column 'prompt'"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        corrections(tmp_path, row)


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
