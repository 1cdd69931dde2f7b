"""Labels in answers, as people read them."""

import pytest

from backsight.tasks.labels import contained, read_label

TWO = ("negative", "positive")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("positive", "positive"),
        (" Positive.", "positive"),
        ("**Negative**", "negative"),
        ('"POSITIVE!"', "positive"),
        ("The sentiment is positive.", "positive"),
        ("The sentiment of this text is negative, because the plot is thin.", "negative"),
        ("Sentiment: positive", "positive"),
        ("This is a negative review of a positive book", "negative"),
        ("Negative\n\nThe author finds nothing positive.", "negative"),
        ("I'd say positive", "positive"),
        ("ｐｏｓｉｔｉｖｅ", "positive"),
        ("", None),
        ("neutral", None),
        ("positive or negative", None),
        ("It is positive or negative.", None),
        ("both negative and positive", None),
        ("not positive", None),
        ("It isn't really positive", None),
        ("hardly positive at all", None),
        ("neither", None),
        ("positive positive positive", None),
        ("positively", None),
        ("The sentiment is neutral.", None),
    ],
)
def test_two_labels(answer: str, label: str | None) -> None:
    assert read_label(answer, TWO) == label


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("very positive", "very positive"),
        ("The sentiment is very positive.", "very positive"),
        ("positive", "positive"),
        ("It is not positive.", "not positive"),
        ("not positive", "not positive"),
    ],
)
def test_of_labels_that_contain_one_another_the_longest_is_meant(answer: str, label: str) -> None:
    assert read_label(answer, ("not positive", "positive", "very positive")) == label


@pytest.mark.parametrize(
    ("answer", "label"),
    [("4", "4"), ("4.", "4"), ("Rating: 4", "4"), ("4 stars", "4"), ("4 out of 5", None), ("14", None), ("-", None)],
)
def test_numbers(answer: str, label: str | None) -> None:
    assert read_label(answer, ("1", "2", "3", "4", "5")) == label


def test_labels_of_other_scripts_and_signs() -> None:
    assert read_label("正面。", ("正面", "负面")) == read_label("答案：正面。", ("正面", "负面")) == "正面"
    assert read_label("这是正面的", ("正面", "负面")) is None  # no space shows where a word begins
    assert read_label("c++", ("c", "c++")) == "c++"
    assert read_label("It is c++", ("c", "c++")) == "c++"


def test_which_label_stands_in_another() -> None:
    assert contained(("positive", "negative")) is None
    assert contained(("bad", "badly")) is None
    assert contained(("very good", "good")) == ("good", "very good")
