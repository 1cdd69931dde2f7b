"""Questions that take minutes: one at a time, and errors in one line."""

from __future__ import annotations

import threading
import time

import pytest

from backsight.errors import ConfigError
from backsight.reports.packed_lines import Row
from backsight.reports.view.asking import Desk

PATIENCE = 10.0


def settled(desk: Desk) -> Row:
    """Return the state of the desk once it is no longer working."""
    until = time.monotonic() + PATIENCE
    while (state := desk.state())["state"] == "working":
        assert time.monotonic() < until
        time.sleep(0.005)
    return state


def test_an_answer_lies_there_until_the_next_question() -> None:
    desk = Desk()
    assert desk.state() == {"number": 0, "state": "idle"}
    assert desk.ask(lambda: {"answer": 42})["number"] == 1
    assert settled(desk) == {"number": 1, "state": "done", "result": {"answer": 42}}


def test_one_question_is_answered_at_a_time() -> None:
    desk, may_end = Desk(), threading.Event()

    def question() -> Row:
        assert may_end.wait(PATIENCE)
        return {}

    assert desk.ask(question) == {"number": 1, "state": "working", "seconds": 0}
    with pytest.raises(ConfigError, match="another one is being answered; wait until it is"):
        desk.ask(dict)
    may_end.set()
    assert settled(desk)["state"] == "done"
    assert desk.ask(dict)["number"] == 2
    settled(desk)


def test_what_a_user_can_put_right_is_one_line() -> None:
    desk = Desk()

    def refuse() -> Row:
        raise ConfigError("attempt", "1/2/3", "was not traced")

    desk.ask(refuse)
    assert settled(desk)["error"] == "attempt: 1/2/3: was not traced"


def test_a_fault_is_no_end_of_the_page() -> None:
    desk = Desk()
    desk.ask(lambda: {"x": [][0]})
    assert settled(desk)["error"] == "a fault of backsight itself: IndexError: list index out of range"
