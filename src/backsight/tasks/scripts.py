"""Words in scripts with and without spaces between words: what counts as a word in any language.

In most scripts a word is what stands between white space. Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan and
some others put no spaces between words; there each character counts as a word, together with the marks written on it.
"""

from __future__ import annotations

import re
import unicodedata

_UNSPACED_BLOCKS = (
    ("\u0e00", "\u0fff"),  # Thai, Lao, Tibetan
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u1950", "\u19df"),  # Tai Le, New Tai Lue
    ("\u1a20", "\u1aaf"),  # Tai Tham
    ("\u1b00", "\u1b7f"),  # Balinese
    ("\u2e80", "\u2fdf"),  # radicals of Chinese characters
    ("\u3005", "\u3007"),  # marks of Chinese and Japanese that stand for characters
    ("\u3021", "\u3029"),
    ("\u3031", "\u3035"),
    ("\u303b", "\u303b"),
    ("\u3040", "\u30ff"),  # Japanese syllables
    ("\u3100", "\u312f"),  # Chinese sounds
    ("\u31a0", "\u31bf"),
    ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"),  # Chinese characters, which Japanese has as well
    ("\u4e00", "\u9fff"),
    ("\ua000", "\ua48f"),  # Yi
    ("\ua980", "\ua9ff"),  # Javanese, Burmese
    ("\uaa60", "\uaadf"),  # Burmese, Tai Viet
    ("\uf900", "\ufaff"),
    ("\uff66", "\uff9f"),
    ("\U00016fe0", "\U00018dff"),  # Tangut, Khitan, and their marks
    ("\U0001aff0", "\U0001b2ff"),  # more Japanese syllables, Nushu
    ("\U00020000", "\U0003ffff"),
)
"""First and last character of the blocks of scripts without spaces between words."""

_VARIATIONS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"


def _classes() -> tuple[str, str]:
    """Return the characters of the blocks, and the marks among them, each as the inside of a character class."""
    marks = "".join(
        character
        for first, last in _UNSPACED_BLOCKS
        if last < "\U00020000"
        for character in map(chr, range(ord(first), ord(last) + 1))
        if unicodedata.category(character) in ("Mn", "Mc")
    )
    return "".join(f"{first}-{last}" for first, last in _UNSPACED_BLOCKS), marks + _VARIATIONS


_CHARACTERS, _MARKS = _classes()
UNSPACED = re.compile(f"[{_CHARACTERS}]")
"""Regular expression of a character of a script that puts no spaces between words."""

WORD = re.compile(rf"[{_CHARACTERS}][{_MARKS}]*|[^\s{_CHARACTERS}]+")
"""Regular expression of a word, or of a character of a script without spaces with the marks on it."""

_HAN = re.compile("[\u3005-\u3007\u3021-\u3029\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Regular expression of a Chinese character."""


MOSTLY = 1 / 3
"""Least share of the letters from which a text counts as written in a script without spaces: each of them says as much
as two or three letters of an alphabet."""


def unspaced_share(text: str) -> float:
    """Return the share of the letters of a text that belong to scripts without spaces; 0 for a text without letters."""
    letters = [character for character in text if character.isalnum()]
    return sum(map(bool, map(UNSPACED.match, letters))) / len(letters) if letters else 0.0


def is_chinese(text: str) -> bool:
    """Return whether the text is written in a script without spaces, and all such characters in it are Chinese."""
    return unspaced_share(text) >= MOSTLY and all(map(_HAN.match, filter(str.isalnum, UNSPACED.findall(text))))
