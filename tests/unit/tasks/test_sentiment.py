"""Labels written as words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backsight.errors import DataError
from backsight.tasks.sentiment import SentimentTask

ROWS = [("good film", "positive"), ("bad film", "negative"), ("a film", "Neutral")]


def write(path: Path, rows: list[tuple[object, object]]) -> str:
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    return str(path)


@pytest.fixture
def task(tmp_path: Path) -> SentimentTask:
    return SentimentTask(write(tmp_path / "train.jsonl", ROWS), test=write(tmp_path / "test.jsonl", ROWS[:1]))


def test_prompt_and_completion(task: SentimentTask) -> None:
    item = task.items("train")[0]
    assert (item.prompt, item.target) == ("good film\nsentiment:", " positive")
    assert item.columns == {"text": "good film", "label": "positive"}
    assert task.labels == ("negative", "neutral", "positive")
    assert task.validate("train") == 3


@pytest.mark.parametrize(
    ("completion", "correct", "valid"),
    [(" positive", 1, 1), ("\nPOSITIVE ", 1, 1), (" negative", 0, 1), (" positively", 0, 0), ("", 0, 0)],
)
def test_the_judge(task: SentimentTask, completion: str, correct: float, valid: float) -> None:
    feedback = task.judge(task.items("train")[0], completion)
    assert feedback.rewards == {"correct": correct, "valid": valid}
    assert (feedback.reward, feedback.success, feedback.sources) == (correct, bool(correct), ("sentiment",))
    assert set(task.metrics) <= set(feedback.rewards)


def test_macro_f1_by_hand(task: SentimentTask) -> None:
    """Positive: 2 of 2 found, 2 of 3 answers right, F1 = 4/5. Negative: none found, F1 = 0. Nobody asked for neutral,
    and what is no label ("so so") only misses the negative one."""
    positive, negative = task.items("train")[:2]
    items = [positive, positive, negative, negative]
    answers = [" positive", "POSITIVE", " positive", " so so"]
    assert task.split_metrics(items, answers) == {"macro_f1": pytest.approx(2 / 5)}
    assert task.split_metrics(items, [" positive", " neutral", " negative", " negative"]) == {
        "macro_f1": pytest.approx((2 / 3 + 1 + 0) / 3)
    }


def test_a_wrong_label_reveals_the_gold_label_and_no_other_prompt(task: SentimentTask) -> None:
    item = task.items("train")[0]
    assert task.relabel_prompt(item, " negative", seed=0) is None
    assert task.judge(item, " negative").correction == " positive"
    assert task.judge(item, " positive").correction is None


def test_numbered_labels_are_words_too(tmp_path: Path) -> None:
    source = write(tmp_path / "rows.jsonl", [("a", 0), ("b", 1)])
    task = SentimentTask(source, test=source)
    assert [item.target for item in task.items("train")] == [" 0", " 1"]
    assert task.validate("train") == 2


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        ([10, 9, 2, 1], ("1", "2", "9", "10")),
        (["10", "9", "-1", "0"], ("-1", "0", "9", "10")),
        ([1.0, 0.0], ("0", "1")),
        (["0.5", "10", "2"], ("0.5", "2", "10")),
        (["label_10", "label_2", "other"], ("label_2", "label_10", "other")),
        (["b", "1 a", "a"], ("1 a", "a", "b")),
        (["v010", "v9", "v" + "9" * 5000], ("v9", "v010", "v" + "9" * 5000)),
    ],
)
def test_numbers_among_labels_are_sorted_by_size(tmp_path: Path, labels: list[object], order: tuple[str, ...]) -> None:
    source = write(tmp_path / "rows.jsonl", [(f"text {number}", label) for number, label in enumerate(labels)])
    assert SentimentTask(source, test=source).labels == order


@pytest.mark.parametrize("labels", [["positive"] * 3, [f"label {number}" for number in range(21)]])
def test_too_few_or_too_many_labels_are_refused(tmp_path: Path, labels: list[str]) -> None:
    source = write(tmp_path / "rows.jsonl", [(f"text {n}", label) for n, label in enumerate(labels)])
    with pytest.raises(DataError, match="distinct labels; this task takes 2 to 20"):
        SentimentTask(source, test=source)


def test_a_label_that_training_never_saw_is_refused(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    with pytest.raises(DataError, match="test.jsonl: row 2.*postive.*did you mean 'positive'"):
        SentimentTask(write(train, ROWS), test=write(test, [("a", "negative"), ("b", "postive")]))


@pytest.mark.parametrize("row", [("", "positive"), ("text", ""), ("text", None), ("text", 0.5), (7, "positive")])
def test_an_unusable_cell_is_refused(tmp_path: Path, row: tuple[object, object]) -> None:
    with pytest.raises(DataError, match="rows.jsonl: row 4, column"):
        SentimentTask(write(tmp_path / "rows.jsonl", [*ROWS, row]))


@pytest.mark.shared_data
def test_real_reviews(shared_data: Path) -> None:
    folder = shared_data / "sentiment"
    task = SentimentTask(
        str(folder / "sentence_polarity/train.jsonl.gz"),
        test=str(folder / "sentence_polarity/test.jsonl.gz"),
        ood=str(folder / "product_reviews/ood.jsonl.gz"),
    )
    assert task.labels == ("negative", "positive")
    assert [len(task.items(split)) for split in ("train", "test", "ood")] == [8662, 1000, 3690]
    assert [task.validate(split) for split in ("train", "test", "ood")] == [200, 200, 200]
