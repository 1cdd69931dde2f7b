"""Chat messages as tokens, by the template that a model brings. A template is a program of somebody else's.

It may refuse messages (a role it does not know, two messages of the user in a row), fail on them, or never end.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from typing import Any

from backsight.errors import DataError
from backsight.types import Messages

MESSAGES = "messages"
"""Field of the errors about messages that a template makes nothing of."""
OF_THE_CALL = frozenset(
    {
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "documents",
        "max_length",
        "messages",
        "padding",
        "return_assistant_tokens_mask",
        "return_dict",
        "return_tensors",
        "tokenize",
        "tokenizer_kwargs",
        "tools",
        "truncation",
    }
)
"""Names that are no settings of a template."""
SECONDS = 10.0
"""Time after which a template is taken not to end; an honest one takes a thousandth of a second."""


def chat_tokens(tokenizer: Any, messages: Messages, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokenise messages by the chat template of the tokenizer, up to the cue for the answer.

    If the last message is the assistant's, the answer goes on from it. `settings` are passed on to the template.

    Raises:
        DataError: when the template refuses the messages, fails on them, or has not ended after `SECONDS`.
    """
    ending = "continue_final_message" if messages[-1]["role"] == "assistant" else "add_generation_prompt"
    encoded = _rendered(tokenizer, messages, **{**settings, ending: True, "tokenize": True})
    tokens = tuple(encoded["input_ids"] if isinstance(encoded, Mapping) else encoded)
    if not tokens:
        raise DataError(MESSAGES, messages, "the model's chat template makes no tokens of it; take another template")
    return tokens


def chat_text(
    tokenizer: Any, messages: Messages, settings: Mapping[str, Any] | None = None, *, is_asked: bool = False
) -> str:
    """Write messages by the chat template of the tokenizer; `is_asked` adds the cue for an answer.

    Raises:
        DataError: as `chat_tokens`.
    """
    how = {**(settings or {}), "add_generation_prompt": is_asked, "tokenize": False}
    return str(_rendered(tokenizer, messages, **how))


def takes_system(tokenizer: Any) -> bool:
    """Return whether the chat template of the tokenizer takes messages of the system, and writes what they say."""
    words = "a word of the system"
    try:
        return words in chat_text(tokenizer, [{"role": "system", "content": words}, {"role": "user", "content": "0"}])
    except DataError:
        return False


def _rendered(tokenizer: Any, messages: Messages, **how: Any) -> Any:
    rendering = _Rendering(tokenizer, messages, how)
    rendering.start()
    rendering.join(SECONDS)
    if rendering.is_alive():
        rendering.stop()
        remedy = f"the model's chat template has not ended after {SECONDS:g} s; take another template or model"
        raise DataError(MESSAGES, messages, remedy)
    if rendering.error is not None:
        remedy = f"the model's chat template refuses it ({_reason(rendering.error)})"
        raise DataError(MESSAGES, messages, remedy) from rendering.error
    return rendering.answer


class _Rendering(threading.Thread):
    """One call of a template, in a thread that can be left alone."""

    def __init__(self, tokenizer: Any, messages: Messages, how: Mapping[str, Any]) -> None:
        super().__init__(daemon=True, name="chat template")
        self.tokenizer, self.messages, self.how = tokenizer, messages, how
        self.answer: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answer = self.tokenizer.apply_chat_template(self.messages, **self.how)
        except BaseException as error:  # a template may raise anything; the caller raises it as a DataError
            self.error = error

    def stop(self) -> None:
        """End the thread at its next step in Python, so that it does not take time for ever."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(SystemExit))


def _reason(error: BaseException) -> str:
    """Return what a template said when it refused, or else what went wrong in it."""
    said = " ".join(str(error).split())
    return said if type(error).__name__ == "TemplateError" and said else f"{type(error).__name__}: {said}"
