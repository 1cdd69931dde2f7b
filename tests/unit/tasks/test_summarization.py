"""Summaries against one or several references, in a window of lengths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.tasks.summarization import SummarizationTask, words

ROWS = [
    {"document": " Once a fox\nsaw grapes. ", "summary": " the fox saw grapes "},
    {"document": "A long day.", "references": ["a day", "the day was very long indeed"]},
]


def write(path: Path, rows: list[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def task_of(tmp_path: Path, *rows: Mapping[str, Any]) -> SummarizationTask:
    source = write(tmp_path / "rows.jsonl", list(rows))
    return SummarizationTask(source, test=source)


@pytest.fixture
def task(tmp_path: Path) -> SummarizationTask:
    return task_of(tmp_path, *ROWS)


def test_prompt_and_references(task: SummarizationTask) -> None:
    fox, day = task.items("train")
    assert (fox.prompt, fox.target) == ("Once a fox\nsaw grapes.\nTL;DR:", " the fox saw grapes")
    assert fox.columns["references"] == ["the fox saw grapes"]
    assert (day.id, day.target, day.columns["references"]) == ("2", " a day", ROWS[1]["references"])
    assert task.labels == ()


@pytest.mark.parametrize("text", ['["a day", "the day"]', "['a day', 'the day']", '[\n "a day",\n "the day"]'])
def test_a_list_may_be_written_as_text(tmp_path: Path, text: str) -> None:
    task = task_of(tmp_path, {"document": "d", "references": text})
    assert task.items("train")[0].columns["references"] == ["a day", "the day"]


def test_rouge_by_hand(tmp_path: Path) -> None:
    # "a b c d" against "a c b d": all four words, so ROUGE-1 is 1; the longest common subsequence has three ("a b d"),
    # so ROUGE-L is 3/4. Against the other reference both are 0; the best counts.
    task = task_of(tmp_path, {"document": "d", "references": ["x y z w", "a c b d"]})
    feedback = task.judge(task.items("train")[0], " A b, c d!\n")
    assert feedback.rewards == {"rouge_l": 0.75, "rouge_1": 1.0, "length": 1.0}
    assert (feedback.reward, feedback.success, feedback.sources) == (0.75, False, ("summarization",))
    assert set(task.metrics) <= set(feedback.rewards)


@pytest.mark.parametrize(
    ("count", "factor"),
    [(0, 0), (2, 0), (3, 0.5), (4, 1), (8, 1), (10, 0.75), (12, 0.5), (16, 0), (17, 0)],
)
def test_the_reward_falls_outside_the_window_down_to_nothing_at_half_and_twice(
    tmp_path: Path, count: int, factor: float
) -> None:
    task = task_of(tmp_path, {"document": "d", "references": ["a b c d", "a a a a a a a a"]})
    assert task.window == (4, 8)
    feedback = task.judge(task.items("train")[0], "a " * count)
    assert feedback.rewards["length"] == factor
    assert feedback.reward == pytest.approx(feedback.rewards["rouge_l"] * factor)


def test_one_unusual_reference_does_not_widen_the_window_for_others(tmp_path: Path) -> None:
    rows = [{"document": f"d {number}", "summary": "a b c d"} for number in range(38)]
    rows += [{"document": "short", "summary": "a"}, {"document": "long", "summary": "a " * 50}]
    task = task_of(tmp_path, *rows)
    assert task.window == (4, 4)
    assert task.validate("train") == 40, "a gold answer is never too short or too long"
    assert task.judge(task.items("train")[0], "a " * 50).rewards["length"] == 0.0


def test_a_gold_answer_of_another_split_scores_full_marks(tmp_path: Path, task: SummarizationTask) -> None:
    far = write(tmp_path / "far.jsonl", [{"document": "far", "summary": "word " * 100}])
    task = SummarizationTask(task.sources["train"], test=far)
    assert task.validate("test") == 1


def test_a_failed_attempt_is_told_the_gold_answer_and_nothing_else(task: SummarizationTask) -> None:
    item = task.items("train")[0]
    failed, succeeded = task.judge(item, "a fox"), task.judge(item, "The fox saw grapes.")
    assert (failed.correction, failed.success) == (" the fox saw grapes", False)
    assert (succeeded.correction, succeeded.success, succeeded.reward) == (None, True, 1.0)
    assert task.relabel_prompt(item, "a day", seed=0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("State-of-the-art, isn't it? 3.5", ["state", "of", "the", "art", "isn", "t", "it", "3", "5"]),
        ("Übung für Łódź", ["übung", "für", "łódź"]),
        ("שלום, עולם! مرحبا", ["שלום", "עולם", "مرحبا"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("今日は good", ["今", "日", "は", "good"]),
        ("ok 👍🏽 ❤️ 👩‍💻", ["ok"]),
        ("", []),
    ],
)
def test_words_of_every_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_english_words_are_those_of_rouge_score() -> None:
    from rouge_score.tokenize import tokenize

    text = "The U.S.A.'s state-of-the-art; 12,000 snake_case (words)\n\tin 2026 — “quoted” A/B"
    assert words(text) == tokenize(text, None)


@pytest.mark.parametrize("summary", ["שלום עולם 🙂", "краткое содержание", "今日は良い天気", "mixed текст עם 🎉 emoji"])
def test_gold_answers_of_every_script_score_full_marks(tmp_path: Path, summary: str) -> None:
    task = task_of(tmp_path, {"document": f"{summary} ‏ {summary}", "summary": summary})
    assert task.validate("train") == 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"document": "a"}, "row 3: no column 'summary'"),
        ({"summary": "a"}, "row 3: no column 'document'"),
        ({"document": " ", "summary": "a"}, "row 3, column 'document'"),
        ({"document": "a", "summary": ""}, "row 3, column 'summary'"),
        ({"document": "a", "summary": "🎉 !"}, "row 3, column 'summary': .*without a word"),
        ({"document": "a", "references": []}, "row 3, column 'references'"),
        ({"document": "a", "references": ["b", " "]}, "row 3, column 'references'"),
        ({"document": "a", "references": ["b", "?"]}, "row 3, column 'references'.*without a word"),
        ({"document": "a", "references": ["b", 1]}, "row 3, column 'references'"),
        ({"document": "a", "references": "a b"}, "row 3, column 'references'"),
        ({"document": "a", "references": "[]"}, "row 3, column 'references'"),
        ({"document": "a", "references": "__import__('os').getcwd()"}, "row 3, column 'references'"),
        ({"document": "a", "references": "[" * 5000}, "row 3, column 'references'"),
        ({"document": "a", "references": None}, "row 3, column 'references'"),
    ],
)
def test_an_unusable_row_is_refused(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=f"rows.jsonl: {reason}") as caught:
        task_of(tmp_path, *ROWS, row)
    assert "\n" not in str(caught.value)


@pytest.mark.shared_data
def test_real_summaries(shared_data: Path) -> None:
    folder = shared_data / "summarization"
    task = SummarizationTask(
        str(folder / "scitldr/train.jsonl.gz"),
        test=str(folder / "scitldr/test.jsonl.gz"),
        ood=str(folder / "legal_plain/ood.jsonl.gz"),
    )
    assert [len(task.items(split)) for split in ("train", "test", "ood")] == [1992, 618, 438]
    assert [task.validate(split) for split in ("train", "test", "ood")] == [200, 200, 200]
    assert max(len(item.columns["references"]) for item in task.items("test")) > 1
    low, high = task.window
    assert 5 <= low < high <= 60
    first = task.items("train")[0]
    assert 0 < task.judge(first, str(first.prompt)[:120]).rewards["rouge_l"] < 1
    assert SummarizationTask(str(folder / "mts_dialog/train.jsonl.gz")).validate("train") == 200
