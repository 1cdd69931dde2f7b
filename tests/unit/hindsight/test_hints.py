"""What was revealed, put into words and into a prompt."""

import numpy as np
import pytest
from unit.hindsight.fakes import PAIR, RIGHT, answer, attempt

from backsight.errors import ConfigError, DataError
from backsight.hindsight.hints import Hints, append_words, prepend_words
from backsight.types import Group, PartialCompletion


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
    assert Hints().inform(told, group) == ("What was said of an earlier answer: look again\nask",)
    assert Hints().inform(told, group, solution="yes") == ("A correct answer: yes\nask",)
    assert Hints().inform(RIGHT, PAIR) is None
    in_numbers = attempt((1,), told.feedback, prompt=np.zeros(2))
    assert Hints().inform(in_numbers, Group("start", (in_numbers,))) is None


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
