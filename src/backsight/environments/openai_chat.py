"""Conversations as OpenAI's API has them, for a policy that only reads and writes text.

Tools are described in the words of Hermes, which Qwen and many others were trained on: tools in ``<tools>`` of the
system's message, calls in ``<tool_call>`` of an answer, results in messages of the role ``tool``. The call in an answer
stays where the policy wrote it, so that its next prompt holds what it said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.errors import DataError
from backsight.types import Messages

_HOW = """You may call functions to help with the question. These are the functions, each with its parameters:
<tools>
{tools}
</tools>
To call one, write its name and its arguments in JSON, and nothing behind it:
<tool_call>
{{"name": "NAME", "arguments": {{"PARAMETER": "VALUE"}}}}
</tool_call>"""
_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)

Wire = Mapping[str, Any]
"""A message, tool or call as it travels in OpenAI's API."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request to the policy."""

    messages: Sequence[Wire]
    tools: Sequence[Wire]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the policy answers."""

    text: str
    calls: Sequence[Wire] = ()
    is_cut: bool = False
    """Whether the limit of the length ended the answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an episode."""

    reward: float
    rewards: Mapping[str, float]
    """Rewards by name before they are weighted, and metrics; one of the same name is called ``metric/NAME``."""
    stop: str | None
    """Name of what ended the episode."""
    is_truncated: bool
    error: str | None
    """What went wrong, in words; None if nothing did."""


def describe_tools(tools: Sequence[Wire]) -> str:
    """Return what a policy has to know of these tools."""
    return _HOW.format(tools="\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools))


def split_calls(answer: str, turn: int) -> tuple[str, list[dict[str, Any]]]:
    """Return what an answer says before its first call, and its calls as OpenAI's API has them.

    What cannot be read as a call is none: an answer without any stays as it is. `turn` is the number of the answer in
    the episode, which makes the names of the calls unique.
    """
    calls: list[dict[str, Any]] = []
    for written in _CALL.findall(answer):
        for name, arguments in _read(written):
            call = {"name": name, "arguments": arguments}
            calls.append({"id": f"call_{turn}_{len(calls)}", "type": "function", "function": call})
    if not calls:
        return answer, []
    return answer[: answer.index("<tool_call>")].strip(), calls


def _read(written: str) -> list[tuple[str, str]]:
    """Return names and arguments of the calls in a text: JSON of one call, or of a list of them."""
    try:
        known = json.loads(written)
    except (ValueError, RecursionError):
        return []
    members = known if isinstance(known, list) else [known]
    if not all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in members):
        return []
    found = [(each["name"], each.get("arguments", each.get("parameters", {}))) for each in members]
    return [(name, said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)) for name, said in found]


def read_messages(messages: Sequence[Wire], said: Mapping[str, str]) -> Messages:
    """Return messages of OpenAI's API as a policy reads them. `said` has answers with calls by the name of the first.

    Raises:
        DataError: when a message holds anything but text.
    """
    return [{"role": message["role"], "content": _content(message, said)} for message in messages]


def _content(message: Wire, said: Mapping[str, str]) -> str:
    calls = message.get("tool_calls") or []
    if calls and calls[0]["id"] in said:
        return said[calls[0]["id"]]
    written = [
        f'<tool_call>\n{{"name": {json.dumps(call["function"]["name"])}, "arguments": {call["function"]["arguments"]}}}'
        "\n</tool_call>"
        for call in calls
    ]
    return "\n".join(filter(None, [_text(message.get("content")), *written]))


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.get("type") != "text":
            raise DataError("message", part.get("type"), "the policy reads text alone; choose another environment")
    return "".join(part["text"] for part in content)
