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
SECONDS = 10.0
"""Time after which a template is taken not to end; an honest one takes a thousandth of a second."""


def chat_tokens(tokenizer: Any, messages: Messages) -> tuple[int, ...]:
    """Tokenise messages by the chat template of the tokenizer, up to the cue for the answer.

    Raises:
        DataError: when the template refuses the messages, fails on them, or has not ended after `SECONDS`.
    """
    encoded = _rendered(tokenizer, messages, add_generation_prompt=True, tokenize=True)
    tokens = tuple(encoded["input_ids"] if isinstance(encoded, Mapping) else encoded)
    if not tokens:
        raise DataError(MESSAGES, messages, "the model's chat template makes no tokens of it; take another template")
    return tokens


def chat_text(tokenizer: Any, messages: Messages) -> str:
    """Write messages by the chat template of the tokenizer, without a cue for a further one.

    Raises:
        DataError: as `chat_tokens`.
    """
    return str(_rendered(tokenizer, messages, tokenize=False))


def _rendered(tokenizer: Any, messages: Messages, **how: bool) -> Any:
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

    def __init__(self, tokenizer: Any, messages: Messages, how: Mapping[str, bool]) -> None:
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
