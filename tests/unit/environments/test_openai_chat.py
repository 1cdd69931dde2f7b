"""Conversations of OpenAI's API, as text and back."""

import json
from typing import Any

import pytest

from backsight.environments.openai_chat import describe_tools, read_messages, split_calls
from backsight.errors import DataError


def call(name: str, arguments: str, number: str = "call_0_0") -> dict[str, Any]:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("answer", "text", "calls"),
    [
        ("It is 4.", "It is 4.", []),
        (
            'Look: <tool_call>\n{"name": "find", "arguments": {"word": "té"}}\n</tool_call>',
            "Look:",
            ['find {"word": "té"}'],
        ),
        ('<tool_call>{"name": "a", "arguments": "{}"}</tool_call><tool_call>{"name": "b"}', "", ["a {}", "b {}"]),
        (
            '<tool_call>[{"name": "a", "parameters": {"x": 1}}, {"name": "b"}]</tool_call> so',
            "",
            ['a {"x": 1}', "b {}"],
        ),
        ("<tool_call>find it</tool_call>", "<tool_call>find it</tool_call>", []),
        ('<tool_call>{"arguments": {}}</tool_call>', '<tool_call>{"arguments": {}}</tool_call>', []),
        ('<tool_call>["a"]</tool_call>', '<tool_call>["a"]</tool_call>', []),
        ("<tool_call>" + "[" * 100_000, "<tool_call>" + "[" * 100_000, []),
    ],
)
def test_calls_are_read_from_answers_and_what_is_none_stays_text(answer: str, text: str, calls: list[str]) -> None:
    said, found = split_calls(answer, turn=2)
    assert said == text
    assert [f"{each['function']['name']} {each['function']['arguments']}" for each in found] == calls
    assert [each["id"] for each in found] == [f"call_2_{number}" for number in range(len(calls))]


def test_messages_are_read_with_what_the_policy_said() -> None:
    said = 'Well <tool_call>{"name":"find",  "arguments":{}}</tool_call>'
    wire = [
        {"role": "system", "content": None},
        {"role": "user", "content": [{"type": "text", "text": "How "}, {"type": "text", "text": "much?"}]},
        {"role": "assistant", "content": "Well", "tool_calls": [call("find", "{}")]},
        {"role": "tool", "content": "17", "tool_call_id": "call_0_0", "name": "find"},
        {"role": "assistant", "content": "Or", "tool_calls": [call("find", '{"a": 1}', "another")]},
    ]
    assert [(each["role"], each["content"]) for each in read_messages(wire, {"call_0_0": said})] == [
        ("system", ""),
        ("user", "How much?"),
        ("assistant", said),
        ("tool", "17"),
        ("assistant", 'Or\n<tool_call>\n{"name": "find", "arguments": {"a": 1}}\n</tool_call>'),
    ]


def test_a_picture_is_refused() -> None:
    with pytest.raises(DataError, match="^message: image_url: the policy reads text alone"):
        read_messages([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}], {})


def test_tools_stand_one_a_line() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("find", "größe")]
    lines = describe_tools(tools).splitlines()
    assert [json.loads(line) for line in lines[2:4]] == tools and lines[1] == "<tools>" and "größe" in lines[3]
