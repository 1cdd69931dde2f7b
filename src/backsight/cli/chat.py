"""The command `backsight chat`."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from backsight.cli.arguments import POLICY, TEMPERATURE, MaxTokens, Seed, System, Temperature
from backsight.cli.streams import note, read_text
from backsight.errors import DataError, one_line
from backsight.interrupts import calling_on_interrupt
from backsight.reports.terminal import printable_lines

if TYPE_CHECKING:
    from backsight.runs.conversation import Conversation

QUIT, RESET = "/quit", "/reset"
HELP = f"{RESET} begins anew; {QUIT} or Ctrl-D ends; Ctrl-C stops an answer"


def chat(
    policy: Annotated[str, POLICY],
    system: System = None,
    temperature: Temperature = TEMPERATURE,
    max_tokens: MaxTokens = None,
    seed: Seed = 0,
) -> None:
    """Talk to a policy. From a pipe it reads a line a turn, and prints the answers alone."""
    from backsight.runs.conversation import Conversation
    from backsight.runs.talk import AnswerOptions, open_talker

    options = AnswerOptions(system=system, temperature=temperature, max_tokens=max_tokens, seed=seed)
    talker = open_talker(policy, options)
    if not talker.has_chat_template:
        note(f"{policy} has no chat template: it continues each line as plain text, and remembers none")
    conversation, with_a_person = Conversation(talker), sys.stdin.isatty() and sys.stdout.isatty()
    if with_a_person:
        note(HELP)
    for line in _typed_lines() if with_a_person else _piped_lines():
        if line.strip() == QUIT:
            return
        if line.strip() == RESET:
            conversation.begin_anew()
        elif line.strip():
            _take_turn(conversation, line, with_a_person)


def _take_turn(conversation: Conversation, line: str, with_a_person: bool) -> None:
    """Print the answer to a line. A person whose line cannot be answered is told so, and may write another one."""
    try:
        if forgotten := conversation.make_room(line):
            turns = "turn is" if forgotten == 1 else f"{forgotten} turns are"
            note(f"the conversation has outgrown the context: the oldest {turns} forgotten")
        _print_answer(conversation, line, with_a_person)
    except DataError as error:
        if not with_a_person:
            raise
        note(one_line(error.field, error.value, error.remedy))


def _print_answer(conversation: Conversation, line: str, with_a_person: bool) -> None:
    """Print an answer while it grows. A person's Ctrl-C stops it, and a second one does what it always does."""
    stopped = threading.Event()
    hearing = calling_on_interrupt(stopped.set, [signal.SIGINT]) if with_a_person else contextlib.nullcontext()
    with hearing, contextlib.closing(conversation.answer(line)) as pieces:
        for piece in pieces:
            print(printable_lines(piece), end="", flush=True)
            if stopped.is_set():
                break
    print(flush=True)
    if stopped.is_set():
        note("stopped")
    elif conversation.was_cut_off:
        note("cut off; --max-tokens allows longer answers")


def _typed_lines() -> Iterator[str]:
    """Yield the lines that a person types, until Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (lines can be edited, and come back with the arrow keys)

    while True:
        try:
            yield read_text(lambda: input("> "))
        except EOFError:
            print()
            return


def _piped_lines() -> Iterator[str]:
    while line := read_text(sys.stdin.readline):
        yield line.rstrip("\r\n")
