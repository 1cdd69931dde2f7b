"""Prompts that leave no room: counted, refused, or cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq

from backsight.errors import DataError
from backsight.policies.text import TextPolicy
from backsight.rollouts.prompts import CHECKED_PROMPTS, prepared
from backsight.tasks.base import Item, Task
from backsight.tasks.rows import RowsTask
from backsight.tasks.sentiment import SentimentTask
from backsight.tasks.summarization import SummarizationTask
from backsight.tasks.translation import TranslationTask

LONG = "word " * 30
TASKS = {
    SentimentTask: [{"text": LONG, "label": "bad"}, {"text": "short", "label": "good"}],
    TranslationTask: [{"source": LONG, "target": "Wort"}, {"source": "short", "target": "kurz"}],
    SummarizationTask: [{"document": LONG, "summary": "words"}, {"document": "short", "summary": "short"}],
    RowsTask: [{"prompt": LONG, "completion": "a"}, {"prompt": "short", "completion": "b"}],
}


def task_of(tmp_path: Path, kind: Any, rows: Sequence[Any]) -> Any:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return kind(str(path), test=str(path))


@pytest.fixture
def policy() -> TextPolicy:
    """128 tokens, a byte each."""
    return tiny_policy("gpt2")


@pytest.mark.parametrize("kind", TASKS)
def test_the_text_is_cut_and_the_cue_stays(kind: Any, policy: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, kind, TASKS[kind])
    cut, told = prepared(task, [policy], 28, {"train": None, "test": 1}, truncate=True)
    first, second = cut.items("train")
    # the end-of-text token comes first, so that 99 bytes are left
    room = 99 - len(task.cue.encode())
    assert first.prompt == " ".join(["word"] * ((room + 1) // 5)) + task.cue
    assert policy.fits(first.prompt, 28) and first.target == task.items("train")[0].target
    assert second is task.items("train")[1] and cut.items("test")[0].prompt == first.prompt
    assert cut.validate("train") == 2
    assert told == "long_prompts=truncate: cut the prompts of 1 of 2 items of train, 1 of 1 items of test"
    assert str(task.items("train")[0].prompt).startswith(LONG.strip()), "the given task stays as it is"


@pytest.mark.parametrize("kind", TASKS)
def test_a_long_prompt_is_refused_with_its_place_the_count_and_the_remedy(
    kind: Any, policy: TextPolicy, tmp_path: Path
) -> None:
    task = task_of(tmp_path, kind, [*reversed(TASKS[kind]), {**TASKS[kind][0]}])
    with pytest.raises(DataError) as caught:
        prepared(task, [policy], 28, {"train": None}, truncate=False)
    count = len([item for item in task.items("train") if len(item.prompt) > 99])
    assert caught.value.field == "train/2.prompt"
    assert "tokens and max_completion_length=28 exceed the model's 128; shorten the prompt" in caught.value.remedy
    assert caught.value.remedy.endswith(
        f", or set long_prompts=truncate ({count} of {len(task.items('train'))} items of train are too long)"
    )


def test_what_fits_is_left_alone(policy: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "short"}])
    assert prepared(task, [policy], 28, {"train": None, "test": None}, truncate=True) == (task, None)


def test_the_shortest_context_counts(policy: TextPolicy, tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "word " * 20}])
    assert prepared(task, [policy], 8, {"train": None}, truncate=True)[1] is None
    other = tiny_classifier(("bad", "good"))  # 64 tokens
    cut, _ = prepared(task, [policy, other], 8, {"train": None}, truncate=True)
    assert len(cut.items("train")[0].prompt) == 59


@pytest.mark.parametrize("prompt", ["x" * 200, [{"role": "user", "content": "word " * 40}]])
def test_what_cannot_be_cut_is_refused_without_that_remedy(prompt: Any, policy: TextPolicy, tmp_path: Path) -> None:
    policy.tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    task = task_of(tmp_path, RowsTask, [{"prompt": prompt}, {"prompt": LONG}])
    for truncate, count in ((False, 2), (True, 1)):
        with pytest.raises(
            DataError, match=rf"train/1.prompt: .*\({count} of 2 items of train are too long\)"
        ) as caught:
            prepared(task, [policy], 28, {"train": None}, truncate=truncate)
        assert "long_prompts" not in str(caught.value)


def test_a_task_that_knows_of_nothing_to_leave_out_is_refused(policy: TextPolicy) -> None:
    class Plain(Task):
        name = "plain"

        def items(self, split: str) -> Sequence[Item]:
            return [Item("a", LONG)]

        def judge(self, item: Item, completion: str) -> Any:
            raise AssertionError("attempted")

    with pytest.raises(DataError, match=r"train/a.prompt: .*lower max_completion_length \(1 of 1 items"):
        prepared(Plain(), [policy], 28, {"train": None}, truncate=True)


def test_no_prompt_helps_where_the_completion_alone_is_too_long(tmp_path: Path) -> None:
    task = task_of(tmp_path, RowsTask, [{"prompt": "short"}])
    with pytest.raises(DataError, match="max_completion_length: 200: .*the decoder's 128; lower it"):
        prepared(task, [tiny_seq2seq("bart")], 200, {"train": None}, truncate=True)


def test_a_long_prompt_is_found_wherever_it_stands(policy: TextPolicy, tmp_path: Path) -> None:
    rows = [{"prompt": f"short {number}"} for number in range(2 * CHECKED_PROMPTS)]
    task = task_of(tmp_path, RowsTask, [*rows, {"prompt": LONG}])
    with pytest.raises(DataError, match=rf"train/401.prompt: .*1 of {len(rows) + 1} items"):
        prepared(task, [policy], 28, {"train": None}, truncate=False)


@pytest.mark.parametrize("text", ["עברית ‏مرحبا‎ 今日は 👩‍💻🙂 e\u0301", "tabs\tand\r\nlines", "İ ß ﬁ \u200d"])
def test_bytes_as_tokens_carry_every_script(text: str, policy: TextPolicy) -> None:
    assert policy.decode(policy.encode(text)) == text  # type: ignore[attr-defined]
