"""What counts as a word in scripts with and without spaces between words."""

from __future__ import annotations

import pytest

from backsight.tasks.overlap import word_f1
from backsight.tasks.scripts import WORD, is_chinese, unspaced_share
from backsight.tasks.summarization import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two oat lattes.", ["two", "oat", "lattes."]),
        ("我要 latte!", ["我", "要", "latte!"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("ｶﾀｶﾅ", ["ｶ", "ﾀ", "ｶ", "ﾅ"]),
        ("กำลังกิน", ["ก", "ำ", "ลั", "ง", "กิ", "น"]),  # Thai: a mark belongs to the letter it is written on
        ("ຂ້ອຍ", ["ຂ້", "ອ", "ຍ"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("བོད་", ["བོ", "ད", "་"]),
        ("ꆈꌠꉙ", ["ꆈ", "ꌠ", "ꉙ"]),  # Yi
        ("𗼇𗟲", ["𗼇", "𗟲"]),  # Tangut
        ("𛅰𛅱", ["𛅰", "𛅱"]),  # Nushu
        ("한국어 문장", ["한국어", "문장"]),  # Korean has spaces
        ("hyvää päivää", ["hyvää", "päivää"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert WORD.findall(text) == expected


@pytest.mark.parametrize("text", ["ฉันกินข้าวเย็น", "ខ្ញុំបានជួបមិត្ត", "ຂ້ອຍໄດ້ພົບ", "ကျွန်တော်တွေ့", "བོད་ཀྱི་ལོ་རྒྱུས"])
def test_one_wrong_character_leaves_the_rest_right(text: str) -> None:
    wrong = text[:-1] + text[0]
    assert 0.5 < word_f1(wrong, text) < 1.0
    assert len(words(text)) > 3, "the length of a summary"


def test_marks_tell_words_apart() -> None:
    assert words("กา กี") == ["ก", "า", "กี"] and words("กิ") != words("กี")


@pytest.mark.parametrize(
    ("text", "share", "chinese"),
    [
        ("", 0.0, False),
        ("He said สวัสดี to me", 4 / 14, False),
        ("我买了 iPhone", 3 / 9, True),
        ("公園を歩く", 1.0, False),  # Japanese, by its syllables
        ("人々。", 1.0, True),
        ("สวัสดี", 1.0, False),
    ],
)
def test_scripts(text: str, share: float, chinese: bool) -> None:
    assert unspaced_share(text) == pytest.approx(share)
    assert is_chinese(text) is chinese
