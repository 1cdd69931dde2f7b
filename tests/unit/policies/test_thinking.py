"""The thinking part of completions."""

import pytest
from tiny_models import tiny_policy

from backsight.policies.thinking import begins_thought, thought_end
from backsight.types import PartialCompletion

ASKED = [{"role": "user", "content": "1 + 1?"}]
BEGINS = (
    "{{ messages[-1]['content'] }}{% if add_generation_prompt and enable_thinking is not false %}<think>\n{% endif %}"
)


@pytest.mark.parametrize(
    ("text", "has_begun", "answer"),
    [
        ("2", False, "2"),
        ("<think>one and one</think>2", False, "2"),
        ("\n<think>one and one</think>\n2", False, "\n2"),
        ("one and one</think>2", True, "2"),
        ("<think>one and", False, ""),
        ("one and", True, ""),
        ("[THINK]one[/THINK]2", False, "2"),
        ("<think>a</think>3 <think>b</think>2", False, "2"),
        ("", False, ""),
        ("I <think> so", False, "I <think> so"),
    ],
)
def test_the_answer_stands_behind_the_thought(text: str, has_begun: bool, answer: str) -> None:
    assert text[thought_end(text, has_begun=has_begun) :] == answer


def test_a_prompt_may_begin_the_thought() -> None:
    assert begins_thought("assistant\n<think>\n") and not begins_thought("<think>\n</think>\n")


def test_the_chat_template_says_whether_it_begins_a_thought() -> None:
    policy = tiny_policy()
    policy.tokenizer.chat_template = BEGINS
    assert policy.begins_in_thought(ASKED) and policy.begins_in_thought(PartialCompletion(ASKED, (5,)))
    assert not policy.begins_in_thought("1 + 1?")
    quick = tiny_policy()
    quick.tokenizer.chat_template = BEGINS
    quick.chat_template_kwargs = {"enable_thinking": False}
    assert not quick.begins_in_thought(ASKED)
    assert quick.tokenizer.decode(quick.prompt_tokens(ASKED), skip_special_tokens=True) == "1 + 1?"


def test_marks_that_are_special_tokens_stay_in_the_text() -> None:
    policy = tiny_policy()
    policy.tokenizer.add_special_tokens({"extra_special_tokens": ["<think>", "</think>"]})
    begin, end = policy.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    one, two = policy.encode("1")[0], policy.encode("2")[0]
    assert policy.decode([begin, one, end, two, *policy.end_tokens]) == "<think>1</think>2"
