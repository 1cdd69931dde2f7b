"""The checks of the task `instructions` beside those of IFEval (package if-verifiable), where both have the kind.

Where one of the two is stricter, the reason stands in docs/decisions/0027-checks-of-our-own.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from drawn_answers import draw_answer

from backsight.tasks.instructions.answer import Answer
from backsight.tasks.instructions.constraints import Constraint
from backsight.tasks.instructions.layout import Bullets, Highlight, Json, Placeholder, Postscript, Title, TwoParts
from backsight.tasks.instructions.length import AtLeastWords, AtMostWords
from backsight.tasks.instructions.marks import LowerCase, NoCommas, Quoted, UpperCase, WithoutLetter
from backsight.tasks.instructions.wording import ForbiddenWord, Keyword, KeywordTwice, LastWords

Check = Callable[[str], bool]
ANSWERS = [draw_answer(random.Random(seed)) for seed in range(600)]
ANSWERS += [
    '{"tea": 7}',
    '["tea"]',
    "```json\n{}\n```",
    "tea *** bread",
    "Tea.\n***\nBread.",
    "we like tea. good morning",
]
MORE, LESS = "at least", "less than"


@pytest.fixture(scope="module")
def checkers() -> dict[str, Any]:
    """The checkers of IFEval by name."""
    registry = pytest.importorskip(
        "if_verifiable.ifeval.instructions_registry",
        reason="if-verifiable is not installed: pip install --no-deps if-verifiable langdetect six immutabledict",
        exc_type=ImportError,
    )
    pytest.importorskip("langdetect").DetectorFactory.seed = 0
    return dict(registry.INSTRUCTION_DICT)


def check_of(checkers: dict[str, Any], name: str, settings: dict[str, Any]) -> Check:
    checker = checkers[name](name)
    checker.build_description(**settings)
    return lambda text: bool(checker.check_following(text))


@pytest.mark.parametrize(
    ("ours", "name", "settings"),
    [
        (ForbiddenWord(0, "a"), "keywords:forbidden_words", {"forbidden_words": ["a"]}),
        (AtMostWords(0, 20), "length_constraints:number_words", {"num_words": 21, "relation": LESS}),
        (AtLeastWords(0, 20), "length_constraints:number_words", {"num_words": 20, "relation": MORE}),
        (WithoutLetter(0, "b"), "keywords:letter_frequency", {"letter": "b", "let_frequency": 1, "let_relation": LESS}),
        (NoCommas(0), "punctuation:no_comma", {}),
        (Quoted(0), "startend:quotation", {}),
        (Bullets(0, 2), "detectable_format:number_bullet_lists", {"num_bullets": 2}),
    ],
    ids=lambda value: value.kind if isinstance(value, Constraint) else "",
)
def test_the_two_say_the_same(checkers: dict[str, Any], ours: Constraint, name: str, settings: dict[str, Any]) -> None:
    check = check_of(checkers, name, settings)
    said = [(ours.holds(Answer(text)), check(text)) for text in ANSWERS]
    assert [text for text, (one, two) in zip(ANSWERS, said, strict=True) if one != two] == []
    assert {one for one, _ in said} == {True, False}


@pytest.mark.parametrize(
    ("ours", "name", "settings"),
    [
        (Keyword(0, "river"), "keywords:existence", {"keywords": ["river"]}),
        (KeywordTwice(0, "a"), "keywords:frequency", {"keyword": "a", "frequency": 2, "relation": MORE}),
        (Placeholder(0), "detectable_content:number_placeholders", {"num_placeholders": 1}),
        (Postscript(0), "detectable_content:postscript", {"postscript_marker": "P.S."}),
        (Highlight(0), "detectable_format:number_highlighted_sections", {"num_highlights": 1}),
        (TwoParts(0), "length_constraints:number_paragraphs", {"num_paragraphs": 2}),
        (Json(0), "detectable_format:json_format", {}),
        (Title(0), "detectable_format:title", {}),
    ],
    ids=lambda value: value.kind if isinstance(value, Constraint) else "",
)
def test_what_holds_here_holds_there(
    checkers: dict[str, Any], ours: Constraint, name: str, settings: dict[str, Any]
) -> None:
    check = check_of(checkers, name, settings)
    right = [text for text in ANSWERS if ours.holds(Answer(text))]
    assert right
    assert [text for text in right if not check(text)] == []


@pytest.mark.parametrize(
    ("ours", "name", "settings"),
    [
        (LastWords(0, "good morning"), "startend:end_checker", {"end_phrase": "good morning"}),
        (LowerCase(0), "change_case:english_lowercase", {}),
        (UpperCase(0), "change_case:english_capital", {}),
    ],
    ids=lambda value: value.kind if isinstance(value, Constraint) else "",
)
def test_what_holds_there_holds_here(
    checkers: dict[str, Any], ours: Constraint, name: str, settings: dict[str, Any]
) -> None:
    check = check_of(checkers, name, settings)
    right = [text for text in ANSWERS if check(text)]
    assert right
    assert [text for text in right if not ours.holds(Answer(text))] == []


@pytest.mark.parametrize(
    ("ours", "name", "settings", "text", "here"),
    [
        (Keyword(0, "art"), "keywords:existence", {"keywords": ["art"]}, "We start.", False),
        (Json(0), "detectable_format:json_format", {}, "7", False),
        (LastWords(0, "good luck"), "startend:end_checker", {"end_phrase": "good luck"}, "Good luck!", True),
        (
            AtMostWords(0, 10),
            "length_constraints:number_words",
            {"num_words": 11, "relation": LESS},
            "don't " * 10,
            True,
        ),
        (LowerCase(0), "change_case:english_lowercase", {}, "i like to sleep in.", True),
    ],
    ids=lambda value: value.kind if isinstance(value, Constraint) else "",
)
def test_where_they_differ_a_person_would_agree_with_ours(
    checkers: dict[str, Any], ours: Constraint, name: str, settings: dict[str, Any], text: str, here: bool
) -> None:
    assert ours.holds(Answer(text)) is here
    assert check_of(checkers, name, settings)(text) is not here
