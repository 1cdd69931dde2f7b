"""The form of prompts: plain text that a base model goes on from, or chat messages with an instruction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from backsight.errors import ConfigError, nearest
from backsight.types import Messages, Observation, is_chat

INSTRUCTION, SYSTEM_PROMPT, SHOTS = "instruction", "system_prompt", "shots"


@dataclass(frozen=True, slots=True)
class PromptForm:
    """How a run wants the prompts of its task to be written."""

    is_chat: bool = False
    """Whether prompts are chat messages; else they are text."""
    is_chosen: bool = False
    """Whether the user asked for this form. If not, prompts that were written by the user stay as they are."""
    instruction: str | None = None
    """Template of the user's message, such as ``Translate into German: {source}``; None takes the task's own."""
    system_prompt: str | None = None
    """Text of the system's message; None sends none, so that a chat template may add its own."""
    shots: int | None = None
    """Number of solved examples before the question; None leaves that to the task."""
    takes_system: bool = True
    """Whether the chat template knows the role of the system. If not, its text begins the first message."""

    def messages(self, *exchanges: Mapping[str, Any] | str) -> Messages:
        """Return chat messages of texts that user and assistant say by turns, behind the system's message."""
        roles = ("user", "assistant")
        said = [
            {"role": roles[place % 2], "content": each} if isinstance(each, str) else dict(each)
            for place, each in enumerate(exchanges)
        ]
        return self.with_system(said)

    def with_system(self, messages: Sequence[Mapping[str, Any]], default: str | None = None) -> Messages:
        """Return the messages behind the system's one: the run's, else the one that is there, else `default`."""
        said = [dict(message) for message in messages]
        begins = bool(said) and said[0]["role"] == "system"
        text = self.system_prompt or (said[0]["content"] if begins else default)
        rest = said[1:] if begins else said
        if text is None:
            return rest
        if self.takes_system:
            return [{"role": "system", "content": text}, *rest]
        first = next((place for place, each in enumerate(rest) if each["role"] == "user"), None)
        if first is None:
            return rest
        joined = {**rest[first], "content": f"{text}\n\n{rest[first]['content']}"}
        return [*rest[:first], joined, *rest[first + 1 :]]

    def wrap(self, prompt: Observation) -> Observation:
        """Return a prompt that somebody else wrote: text becomes a message where messages are wanted."""
        if not self.is_chat:
            return prompt
        return self.with_system(prompt) if is_chat(prompt) else self.messages(str(prompt).strip())

    def refuse(self, name: str, *fields: str) -> None:
        """Check that a task whose prompts stay as they are is asked for no other form by any of these settings.

        Raises:
            ConfigError: when one asks for it.
        """
        for field in fields:
            if (value := getattr(self, field)) is not None:
                raise ConfigError(field, value, f"{name} writes its own prompts; leave it out")


PLAIN = PromptForm()
"""The form in which every task is made."""


def check_template(template: str, known: Collection[str]) -> list[str]:
    """Return the names in a template, where columns stand in braces, such as ``{text}``; doubled braces are braces.

    Raises:
        ConfigError: when it is malformed, names something that is not known, or names nothing.
    """
    try:
        fields = [part[1:] for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ConfigError(INSTRUCTION, template, f"{error}; write {{{{ and }}}} for braces") from error
    for name, form, conversion in fields:
        if name not in known:
            raise ConfigError(INSTRUCTION, template, f"there is no column '{name}'; {nearest(name or '', known)}")
        if form or conversion:
            raise ConfigError(INSTRUCTION, template, f"write {{{name}}} alone between the braces")
    if not fields:
        example = f"{{{min(known)}}}"
        raise ConfigError(INSTRUCTION, template, f"names no column, so all prompts would be equal; put in {example}")
    return [str(name) for name, _, _ in fields]


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template that was checked. Values are written as they are: braces in them mean nothing."""
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(text + ("" if name is None else str(values[name])))
    return "".join(parts)


def listed(words: Sequence[str]) -> str:
    """Write words as a choice: ``good, bad or mixed``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
