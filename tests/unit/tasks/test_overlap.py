"""The words that two texts share."""

from __future__ import annotations

import pytest

from backsight.tasks.overlap import likeness


@pytest.mark.parametrize(
    ("text", "overlap", "exact"),
    [
        (" two oat lattes\n", 1.0, 1.0),
        ("lattes oat two", 1.0, 0.0),
        ("an oat latte", 1 / 3, 0.0),  # one word of three on either side: 2·1 / (3 + 3)
        ("two two", 2 / 5, 0.0),  # the second one is not there: 2·1 / (2 + 3)
        ("Two oat lattes.", 1 / 3, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_overlap_by_hand(text: str, overlap: float, exact: float) -> None:
    assert likeness(text, "two oat lattes") == {"overlap": pytest.approx(overlap), "exact": exact}


@pytest.mark.parametrize(
    ("text", "reference", "overlap"),
    [
        ("我要大杯拿铁", "我要拿铁", 8 / 10),  # four characters of six and of four: 2·4 / (6 + 4)
        ("カフェラテを二つ", "茶", 0.0),
        ("一杯 latte!", "latte! 一杯", 1.0),
    ],
)
def test_scripts_without_spaces_share_characters(text: str, reference: str, overlap: float) -> None:
    assert likeness(text, reference)["overlap"] == pytest.approx(overlap)


def test_texts_without_words_share_none() -> None:
    assert likeness(" ", "")["overlap"] == 0.0
