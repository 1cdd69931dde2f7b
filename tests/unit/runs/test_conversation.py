"""Turns of a conversation: what is remembered, what is forgotten, and in which pieces answers come."""

from __future__ import annotations

from typing import Any

import pytest
from tiny_models import reciting_policy, tiny_classifier, tiny_policy

from backsight.errors import DataError
from backsight.policies.text import TextPolicy
from backsight.runs.conversation import Conversation
from backsight.runs.talk import AnswerOptions, Talker

LOUD = "{% for each in messages %}{{ each.content }}\n{% endfor %}"


def conversation(policy: TextPolicy, **change: Any) -> Conversation:
    options = AnswerOptions(**{"system": None, "temperature": 0.0, "max_tokens": 16, "seed": 0, **change})
    return Conversation(Talker(policy, options))


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def test_turns_are_remembered_until_it_begins_anew() -> None:
    talk = conversation(reciting_policy("yes"))
    assert "".join(talk.answer("one")) == "".join(talk.answer("two")) == "yes"
    assert talk.messages == said("one", "yes", "two", "yes") and not talk.was_cut_off
    talk.begin_anew()
    assert talk.messages == []


def test_characters_wait_until_they_are_whole() -> None:
    """A fox is four bytes, each a token; special tokens are not shown."""
    pieces = list(conversation(reciting_policy("é🦊k")).answer("a"))
    assert pieces == ["", "é", "", "", "", "🦊", "k", "", ""]


def test_an_answer_that_is_cut_within_a_character_is_text() -> None:
    talk = conversation(reciting_policy("a🦊"), max_tokens=3)
    assert "".join(talk.answer("a")) == "a\N{REPLACEMENT CHARACTER}"
    assert talk.was_cut_off


def test_an_answer_that_is_stopped_is_remembered_as_far_as_it_was_shown() -> None:
    talk = conversation(reciting_policy("abc", without_end=True))
    pieces = talk.answer("go on")
    assert [next(pieces) for _ in range(4)] == ["a", "b", "c", "a"]
    pieces.close()
    assert talk.messages == said("go on", "abca")


def test_seeds_follow_the_turns() -> None:
    def answers(seed: int) -> list[str]:
        policy = tiny_policy()
        policy.tokenizer.chat_template = "{{ messages[-1].content }}"  # the same prompt in each turn
        talk = conversation(policy, temperature=1.0, seed=seed)
        found = ["".join(talk.answer("a")) for _ in range(2)]
        talk.begin_anew()
        return [*found, "".join(talk.answer("a"))]

    one, two, three = answers(0)
    assert one == three != two
    assert answers(0) == [one, two, three] != answers(1)


def test_the_oldest_turns_are_forgotten_when_there_is_no_room() -> None:
    policy = reciting_policy("yes", template=LOUD)
    policy.model.config.max_position_embeddings = 64
    talk = conversation(policy, max_tokens=4)
    for number in range(3):
        assert talk.make_room("x" * 15) == 0, number
        list(talk.answer("x" * 15))
    # a turn takes 16 + 4 tokens, so two of them, 16 for the text and 4 for the answer are 60
    talk.messages[0]["content"] = "the first"
    assert talk.make_room("x" * 15) == 1
    assert talk.messages == said("x" * 15, "yes") * 2


def test_nothing_is_forgotten_for_a_text_that_has_no_room_by_itself() -> None:
    policy = reciting_policy("yes", template=LOUD)
    policy.model.config.max_position_embeddings = 64
    talk = conversation(policy, max_tokens=4)
    list(talk.answer("a"))
    with pytest.raises(DataError, match="^prompt: x+: 100 tokens and --max-tokens=4 exceed the model's 64"):
        talk.make_room("x" * 99)
    assert talk.messages == said("a", "yes")


def test_without_a_template_each_text_stands_alone() -> None:
    talk = conversation(reciting_policy("yes", template=None))
    assert ["".join(talk.answer(text)) for text in ("a", "b")] == ["yes", "yes"]
    assert talk.messages == []


def test_a_classifier_says_how_likely_its_labels_are() -> None:
    answer = "".join(conversation(tiny_classifier(("no", "yes"))).answer("a"))
    label, _, probabilities = answer.partition(" ")
    assert label in ("no", "yes") and probabilities.startswith(f"({label} 0.")
