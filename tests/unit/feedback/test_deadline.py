"""Deadlines: calls that wait, compute or refuse to be interrupted, in the main thread and in others."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from backsight.feedback.deadline import Deadline, Overdue, find_stuck


def sleep() -> None:
    time.sleep(60)


def wait() -> None:
    threading.Event().wait(60)


def compute() -> None:
    while True:
        pass


def match() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")  # runs in C, and lets no other thread run


def call_a_program() -> None:
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=True)


def swallow_once() -> None:
    try:
        time.sleep(60)
    except BaseException:
        time.sleep(60)


def interrupted(call: Callable[[], None], seconds: float = 0.05) -> tuple[bool, Deadline]:
    deadline = Deadline(lambda: "who", seconds)
    deadline.begin()
    try:
        call()
    except Overdue:
        return True, deadline
    finally:
        deadline.end()
    return False, deadline


@pytest.mark.parametrize("call", [sleep, wait, compute, match, call_a_program, swallow_once])
def test_in_the_main_thread_whatever_is_done_is_interrupted(call: Callable[[], None]) -> None:
    assert threading.current_thread() is threading.main_thread()
    started = time.monotonic()
    was_interrupted, deadline = interrupted(call)
    assert was_interrupted and deadline.late == "who"
    assert time.monotonic() - started < 20


def test_what_ends_in_time_is_left_alone() -> None:
    was_interrupted, deadline = interrupted(lambda: None, seconds=0.02)
    time.sleep(0.1)  # a late interruption would come now
    assert not was_interrupted and deadline.late is None


def test_another_thread_is_interrupted_at_its_next_line_of_python() -> None:
    found: list[tuple[bool, Deadline]] = []
    thread = threading.Thread(target=lambda: found.append(interrupted(compute)))
    thread.start()
    thread.join(20)
    assert not thread.is_alive() and found[0][0]


def test_a_thread_that_waits_for_ever_is_found_by_others() -> None:
    go_on = threading.Event()
    thread = threading.Thread(target=interrupted, args=(lambda: go_on.wait(20),), daemon=True)
    thread.start()
    limit = time.monotonic() + 20
    while find_stuck() is None and time.monotonic() < limit:
        time.sleep(0.01)
    stuck = find_stuck()
    assert stuck is not None and stuck.late == "who"
    go_on.set()
    thread.join(20)
    assert find_stuck() is None


def test_the_innermost_is_named_and_the_outer_one_interrupted() -> None:
    outer = Deadline(lambda: "outer", 0.05)
    outer.begin()
    with pytest.raises(Overdue):
        interrupted_inside = Deadline(lambda: "inner", 60)
        interrupted_inside.begin()
        try:
            time.sleep(60)
        finally:
            interrupted_inside.end()
    outer.end()
    assert outer.late == "inner" and interrupted_inside.late is None


def test_a_process_ends_well_right_after_a_deadline() -> None:
    code = "from backsight.feedback.deadline import Deadline as D; d = D(str, 9); d.begin(); d.end()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
