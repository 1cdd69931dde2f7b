"""Cells of every kind in every column of every task: they are used, or one line names the row."""

from __future__ import annotations

import datetime
import decimal
import math
import random
from typing import Any

import numpy
import pytest

from backsight.errors import BacksightError
from backsight.tasks import cells
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.corrections import CorrectionsTask
from backsight.tasks.dialogue import DialogueTask
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
TEXTS = ["", " ", "text", "...", "กิน", "1e5", "true", "nan", "[1, 2]", "['a']", "{'a': 1}", "[" * 2_000]
NUMBERS = [None, 7, -0.0, 0.5, math.nan, math.inf, 10**400, True, numpy.float32(1), numpy.bool_(True), numpy.zeros(2)]
DECIMALS = [decimal.Decimal(text) for text in ("1.5", "NaN", "sNaN", "Infinity")]
OTHERS = [b"x", datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1), numpy.datetime64("NaT"), (1, 2), {1, 2}, {}]
LISTS: list[Any] = [[], [None], [[]], ["a", "b"], [1, 2.0], ["", 1], [{"role": 1}], [USER], [ANSWER], [USER, ANSWER]]
CHATS = [
    [USER, ANSWER, USER],
    [{"role": "system", "content": "s"}, USER, ANSWER],
    [{"role": "user", "content": ["x", {"text": "y"}]}],
    [{"role": "user", "content": [{"type": "image"}]}],
    [USER, {"role": "assistant", "content": None, "tool_calls": [1]}],
    *([USER, {**ANSWER, name: value}] for name in ("reward", "feedback", "correction") for value in ("x", " ", 1, {})),
]
VALUES = [*TEXTS, *NUMBERS, *DECIMALS, *OTHERS, *LISTS, *CHATS]


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (RowsTask, ["prompt", "completion", "target"]),
        (CorrectionsTask, ["prompt", "chosen", "rejected", "completion", "reward", "feedback", "correction"]),
        (ConversationsTask, ["messages"]),
        (DialogueTask, ["messages"]),
        (TranslationTask, ["source", "target", "references"]),
        (SummarizationTask, ["document", "summary", "references"]),
        (SentimentTask, ["text", "label"]),
    ],
)
def test_every_cell_is_used_or_named(kind: Any, columns: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(0)
    for value in VALUES * 3:
        row = {name: generator.choice(["text", *VALUES]) for name in generator.sample(columns, len(columns) // 2)}
        row |= {"prompt": "q", generator.choice(columns): value}
        monkeypatch.setattr(cells, "read_source", _twice(row, kind))
        try:
            task = kind("rows", test="rows")
            task.validate("train")
            for item in task.items("train"):
                assert item.target is None or isinstance(item.target, str)
                task.judge(item, "text")
        except BacksightError as error:
            assert str(error).isprintable() and "row" in str(error), row


def _twice(row: dict[str, Any], kind: Any) -> Any:
    other = {"text": "z", "label": "other"} if kind is SentimentTask else dict(row)
    return lambda source: [dict(row), other]
