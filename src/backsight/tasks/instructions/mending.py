"""Corrections by rule: an answer with as little changed as it takes to satisfy a constraint.

Whoever checks a constraint can often also mend what was missed: a title is put above, a comma taken out, a sentence too
many left away. Other constraints need somebody who can write: those are not mended.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

from backsight.tasks.instructions.answer import SENTENCE_END, Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.layout import Bullets, Highlight, Placeholder, Postscript, Title
from backsight.tasks.instructions.length import AtMostWords, Sentences
from backsight.tasks.instructions.marks import Colon, NoCommas, Quoted
from backsight.tasks.instructions.wording import ForbiddenWord, LastWords, content_words

POSTSCRIPTS = (
    "Good luck!",
    "I hope this helps.",
    "Thank you for reading.",
    "Take your time.",
    "Let me know how it goes.",
)
LEADS = ("In short", "My advice", "One thought", "To put it simply")
BLANKS = ("your name", "name", "date", "place")
TITLE_WORDS = 3
"""Most words of a title that is made of words of the answer."""

Mend = Callable[[str, Constraint, random.Random], str | None]


def mend(asked: Sequence[Constraint], completion: str, rng: random.Random) -> str | None:
    """Return the answer with what it missed mended; None if a rule cannot, or if the result is not worth imitating.

    Sentences are left away first, then words changed, then things put around them, so that no rule undoes another.
    """
    text = completion.strip()
    failed = [constraint for constraint in asked if not constraint.holds(Answer(text))]
    if not failed or not Answer(text).words:
        return None
    for kind, rule in RULES.items():
        for constraint in failed:
            if isinstance(constraint, kind):
                mended = rule(text, constraint, rng)
                if mended is None:
                    return None
                text = mended
    answer = Answer(text)
    return text if answer.is_worth_imitating and all(constraint.holds(answer) for constraint in asked) else None


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, each with the mark that ends it."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    parts = [text[begin:end].strip() for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    return [part for part in parts if Answer(part).words]


def _leave_away(text: str, holds: Callable[[Answer], bool]) -> str | None:
    """Return the longest beginning of a text, in whole sentences, of which something holds."""
    sentences = sentences_of(text)
    for count in range(len(sentences), 0, -1):
        if holds(Answer(shorter := " ".join(sentences[:count]))):
            return shorter
    return None


def _without_word(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    kept = [sentence for sentence in sentences_of(text) if constraint.holds(Answer(sentence))]
    return " ".join(kept) or None


def _shorter(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    return _leave_away(text, constraint.holds)


def _without_commas(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    return re.sub(r"\s*,", "", text)


def _with_lead(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    return f"{rng.choice(LEADS)}: {text}"


def _with_last_words(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    assert isinstance(constraint, LastWords)
    return f"{text} {constraint.phrase.capitalize()}."


def _with_highlight(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    words = content_words(Answer(text))
    if not words:
        return None
    return re.sub(rf"\b({re.escape(rng.choice(words))})\b", r"*\1*", text, count=1, flags=re.IGNORECASE)


def _as_list(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    assert isinstance(constraint, Bullets)
    sentences = [sentence.lstrip("-•* ") for sentence in sentences_of(text)]
    if len(sentences) < constraint.count:
        return None
    return "\n".join(f"- {sentence}" for sentence in sentences[: constraint.count])


def _with_blank(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    return f"{text}\n[{rng.choice(BLANKS)}]"


def _with_title(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    words = content_words(Answer(text))[:TITLE_WORDS]
    return f"<<{' '.join(words).capitalize()}>>\n{text}" if words else None


def _with_postscript(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    return f"{text}\nP.S. {rng.choice(POSTSCRIPTS)}"


def _in_quotes(text: str, constraint: Constraint, rng: random.Random) -> str | None:
    inner = text.replace('"', "'").strip("'")
    return f'"{inner}"'


RULES: Mapping[type[Constraint], Mend] = {
    ForbiddenWord: _without_word,
    Sentences: _shorter,
    AtMostWords: _shorter,
    NoCommas: _without_commas,
    LastWords: _with_last_words,
    Highlight: _with_highlight,
    Bullets: _as_list,
    Colon: _with_lead,
    Title: _with_title,
    Placeholder: _with_blank,
    Postscript: _with_postscript,
    Quoted: _in_quotes,
}
"""How each kind is mended that a rule can mend, in the order in which the rules are applied."""
