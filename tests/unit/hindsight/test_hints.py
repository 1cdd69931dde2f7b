"""What was revealed, put into words and into a prompt."""

from itertools import groupby

import numpy as np
import pytest
from unit.hindsight.fakes import PAIR, RIGHT, FakeScorer, answer, attempt

from backsight.errors import ConfigError, DataError
from backsight.hindsight.base import number_attempts
from backsight.hindsight.hints import Hints, append_words, prepend_words
from backsight.hindsight.options import Whose
from backsight.types import Feedback, Group, PartialCompletion, Trajectory


def test_the_teacher_is_told_the_best_that_is_known() -> None:
    hints = Hints()
    told = [
        answer("no", False, text="look again", outcome="it broke", correction="yes"),
        answer("no", False, text="look again", outcome="it broke"),
        answer("no", False, outcome="it broke"),
        answer("no", False),
    ]
    lone = [hints.hint(each, Group("start", (each,))) for each in told]
    assert lone == [
        "A correct answer: yes",
        "What was said of an earlier answer: look again",
        "What came of an earlier answer: it broke",
        None,
    ]
    assert hints.hint(told[1], Group("start", (told[1], RIGHT))) == "A correct answer: yes"
    assert hints.hint(RIGHT, PAIR) is None  # never one's own
    assert Hints(introduce=False).hint(told[1], Group("start", (told[1],))) == "look again"


def test_a_hint_goes_into_the_last_message_of_the_user_and_cannot_move_places() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert Hints().with_text(messages, "h") == [{"role": "user", "content": "h\na"}, messages[1]]
    assert Hints().with_text([messages[1]], "h")[0] == {"role": "user", "content": "h"}
    assert Hints("{prompt} [{hint}]").with_text("{hint}", "{prompt}") == "{hint} [{prompt}]"
    with pytest.raises(ConfigError, match="has no {hint}"):
        Hints("{prompt}")


def test_an_attempt_is_told_in_its_prompts_or_not_at_all() -> None:
    told = answer("no", False, text="look again")
    group = Group("start", (told,))
    hints = Hints()
    assert hints.inform(told, hints.hint(told, group)) == ("What was said of an earlier answer: look again\nask",)
    assert hints.inform(told, hints.hint(told, group, "yes")) == ("A correct answer: yes\nask",)
    assert hints.inform(RIGHT, hints.hint(RIGHT, PAIR)) is None
    in_numbers = attempt((1,), told.feedback, prompt=np.zeros(2))
    assert hints.inform(in_numbers, "look again") is None


def test_words_go_before_or_behind_what_the_user_asked() -> None:
    chat = [{"role": "user", "content": "asked"}, {"role": "assistant", "content": "said"}]
    assert (prepend_words("Well: ", "asked"), append_words(" Well:", "asked")) == ("Well: asked", "asked Well:")
    assert prepend_words("Well: ", chat) == [{"role": "user", "content": "Well: asked"}, chat[1]]
    assert append_words(" Well:", chat) == [{"role": "user", "content": "asked Well:"}, chat[1]]
    begun = PartialCompletion("asked", (1, 2))
    assert prepend_words("Well: ", begun) == PartialCompletion("Well: asked", (1, 2))


def test_no_words_leave_a_prompt_as_it_is_and_numbers_have_no_room_for_any() -> None:
    numbers = np.zeros(2)
    assert prepend_words("", numbers) is numbers and append_words("", numbers) is numbers
    for put in (prepend_words, append_words):
        with pytest.raises(DataError, match="use relabel or command"):
            put("Well: ", numbers)


TOLD = [answer("no", False, correction=right) for right in ("red", "blue")]
ELSEWHERE = [
    attempt((1,), Feedback(success=False, correction=right), prompt=f"asked {right}", text="no")
    for right in ("gold", "grey")
]


def told(whose: Whose, *attempts: Trajectory) -> list[object]:
    """What the teacher reads of each attempt, which are of one group where they answer the same prompt."""
    groups = [Group("start", tuple(own)) for _, own in groupby(attempts, lambda each: each.prompts[0])]
    pairs = [(each, group) for group in number_attempts(groups) for each in group.trajectories]
    read = Hints("{hint}|{prompt}", introduce=False, whose=whose).inform_all(pairs, FakeScorer())
    return [read.get(each.key) for each, _ in pairs if each.key is not None]


def test_a_control_reads_the_hint_of_another_prompt_or_none() -> None:
    silent = answer("no", False)
    assert told("own", *TOLD, *ELSEWHERE) == [("red|ask",), ("blue|ask",), ("gold|asked gold",), ("grey|asked grey",)]
    assert told("other", *TOLD, *ELSEWHERE) == [("gold|ask",), ("gold|ask",), ("grey|asked gold",), ("red|asked grey",)]
    assert told("absent", *TOLD, ELSEWHERE[0]) == [("ask",), ("ask",), ("asked gold",)]
    # of the same attempts as with hints of their own, and only where there is another prompt
    assert told("other", TOLD[0], silent, ELSEWHERE[0]) == [("gold|ask",), None, ("red|asked gold",)]
    assert told("absent", TOLD[0], silent) == [("ask",), None]
    assert told("other", *TOLD) == [None, None]
