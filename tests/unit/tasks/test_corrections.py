"""Single answers that were rated, commented on, corrected or preferred."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.tasks.base import Item
from backsight.tasks.corrections import CorrectionsTask
from backsight.tasks.recorded import good_reply

TALK = [{"role": "user", "content": "2+2="}, {"role": "assistant", "content": "4"}]

ANSWERS = {"chosen": "4", "rejected": "5"}


def known(reward: float | None = None, feedback: str | None = None, correction: str | None = None) -> dict[str, Any]:
    return {"reward": reward, "feedback": feedback, "correction": correction}


def corrections(path: Path, *rows: dict[str, Any]) -> list[Item]:
    source = path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(CorrectionsTask(str(source), test=str(source)).items("train"))


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
    ("columns", "before", "prompt"),
    [
        ({"prompt": "2+2="}, [], "2+2="),
        ({"prompt": TALK[:1]}, [], TALK[:1]),
        ({"prompt": "2+2="}, [{"role": "system", "content": "Be brief."}], "2+2="),
        ({}, [{"role": "system", "content": "Be brief."}], [{"role": "system", "content": "Be brief."}, TALK[0]]),
        # the answer is one to a later question, and the prompt only the first
        ({"prompt": "hello"}, [{"role": "user", "content": "hello"}], [{"role": "user", "content": "hello"}, TALK[0]]),
    ],
)
def test_of_a_whole_conversation_the_last_message_is_the_answer(
    tmp_path: Path, columns: dict[str, Any], before: list[dict[str, str]], prompt: Any
) -> None:
    answers = {name: [*before, TALK[0], {"role": "assistant", "content": said}] for name, said in ANSWERS.items()}
    items = corrections(tmp_path, {**columns, **answers})
    assert [(item.prompt, item.target) for item in items] == [(prompt, "4"), (prompt, "5")]


@pytest.mark.parametrize(("label", "reward"), [(True, 1.0), ("True", 1.0), ("false", 0.0), ("1", 1.0), ("0.25", 0.25)])
def test_labels_as_text(tmp_path: Path, label: Any, reward: float) -> None:
    (item,) = corrections(tmp_path, {"prompt": "p", "completion": "c", "label": label})
    assert item.columns["reward"] == reward


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "completion": "c"}, "row 1: prompt, completion: add chosen and rejected"),
        ({"prompt": "p", "chosen": "c"}, "no column 'rejected'"),
        ({"completion": "c", "reward": 1}, "no column 'prompt'"),
        ({"prompt": "p", "chosen": "c", "rejected": 7}, "column 'rejected'"),
        ({"prompt": "p", "completion": "c", "label": "yes"}, "'yes': write a finite number"),
        ({"prompt": [], "completion": "c", "label": 1}, "column 'prompt'"),
        ({"prompt": "p", "chosen": "", "rejected": "r"}, "column 'chosen'"),
        ({"prompt": "p", "chosen": [{"role": "assistant", "content": " "}], "rejected": "r"}, "the answer has no text"),
        ({"prompt": "other", "chosen": TALK, "rejected": TALK}, "column 'chosen'.*does not hold the prompt"),
        ({"prompt": "2+2=", "chosen": TALK[:1], "rejected": TALK}, "column 'chosen'.*the last message"),
    ],
)
def test_answers_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        corrections(tmp_path, row)
