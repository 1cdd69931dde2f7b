"""Labels in answers, as people read them: without case, punctuation, quotes, or the words around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_FRAME = re.compile(
    r"\b(?:sentiment|label|answer|category|class|classification|rating|review|text|opinion|it|this|that)\b"
    r"[^.!?]{0,60}?(?:\b(?:is|are|was|be|as|seems|has|expresses)\b|:|=)\s*(?:an?\s+|the\s+)?"
)
"""Words with which an answer leads up to a label, such as "the sentiment of this review is"."""
_DENIAL = re.compile(r"(?:\bnot|n't|\bnever|\bno|\bneither|\bnor|\bhardly)(?:\s+(?:an?|the|very|really|at all))*\s*$")


def read_label(answer: str, labels: Sequence[str]) -> str | None:
    """Return which of the labels (in lower case) an answer names; None when it names none, or several.

    The whole answer counts, or its first line, or what follows words such as "The sentiment is"; else the only label
    that occurs, as words of its own, once and not denied. Of labels that contain one another the longest is meant.
    """
    text = _plain(answer)
    lines = [line for line in map(_stripped, text.splitlines()) if line]
    for candidate in (text, _stripped(text), *lines[:1]):
        if candidate in labels:
            return candidate
    found = _found(text, labels)
    for frame in _FRAME.finditer(text):
        for begin, end, label in found:
            if _stripped(text[frame.end() : begin]) == "" and frame.end() <= begin and not _goes_on(text, end, found):
                return label
    is_clear = len(found) == 1 and not _DENIAL.search(text[: found[0][0]])
    return found[0][2] if is_clear else None


def contained(labels: Sequence[str]) -> tuple[str, str] | None:
    """Return a label that stands in another one as words of its own, and that other one; None if there is none."""
    for short in labels:
        for long in labels:
            if short != long and _pattern(short).search(long):
                return short, long
    return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _stripped(text: str) -> str:
    """Return a text without the white space, punctuation and symbols around it, unless they are all that it is."""
    begin, end = 0, len(text)
    while begin < end and _is_around(text[begin]):
        begin += 1
    while end > begin and _is_around(text[end - 1]):
        end -= 1
    return text[begin:end]


def _is_around(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "PS"


def _pattern(label: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(label)}(?!\w)")


def _found(text: str, labels: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return where labels stand in a text, in order; inside of a longer label a shorter one does not count."""
    hits = sorted(
        (match.start(), -match.end(), label) for label in labels if label for match in _pattern(label).finditer(text)
    )
    found: list[tuple[int, int, str]] = []
    for begin, negative_end, label in hits:
        if not found or begin >= found[-1][1]:
            found.append((begin, -negative_end, label))
    return found


def _goes_on(text: str, end: int, found: Sequence[tuple[int, int, str]]) -> bool:
    """Return whether another label follows at once, as in "positive or negative"."""
    return any(begin >= end and _stripped(text[end:begin]) in ("", "or", "and", "nor") for begin, _, _ in found)
