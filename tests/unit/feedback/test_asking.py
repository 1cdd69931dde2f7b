"""Foreign code: what it raises, how long it takes, and what it hides."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from backsight.errors import ConfigError, RewardError
from backsight.feedback.asking import PATIENCE, ask, insisting, patience, result_of
from backsight.feedback.daemons import DaemonThreads


class Panic(BaseException):
    """What libraries in Rust raise."""


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError


def raising(error: BaseException) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


@insisting
def refuse() -> float:
    raise ConfigError("key_variable", "KEY", "set it")


def test_the_answer_is_returned() -> None:
    assert ask("f", "mend it", lambda one, *, two: one + two, 1, two=2) == 3


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (raising(ValueError("oh")), "raised ValueError: oh"),
        (raising(ValueError()), "raised ValueError"),
        (raising(Speechless()), "raised Speechless"),
        (raising(Panic("rust")), "raised Panic: rust"),
        (raising(GeneratorExit()), "raised GeneratorExit"),
        (raising(StopIteration(1)), "raised StopIteration: 1"),
        (lambda: sys.exit(3), r"called sys.exit\(3\)"),
        (lambda: sys.exit(), r"called sys.exit\(None\)"),
    ],
)
def test_whatever_is_raised_is_the_author_s(call: Callable[[], Any], what: str) -> None:
    with pytest.raises(RewardError, match=f"^env.step: {what}: mend it$"):
        ask("env.step", "mend it", call)
    with pytest.raises(RewardError, match="^env.step: "):
        ask(lambda: "env.step", "mend it", call)


def test_the_user_may_interrupt_and_what_we_raise_stays() -> None:
    with pytest.raises(KeyboardInterrupt):
        ask("f", "mend it", raising(KeyboardInterrupt()))
    with pytest.raises(ConfigError, match="key_variable"):
        ask("f", "mend it", refuse)


def test_time_is_what_the_run_gives() -> None:
    assert PATIENCE.get() == 600
    with patience(0.05), pytest.raises(RewardError, match="^f: hangs: gave no answer in 0.05 s; .*reward_timeout"):
        ask("f", "mend it", time.sleep, 60)
    with pytest.raises(RewardError, match="in 0.02 s"):
        ask("f", "mend it", time.sleep, 60, seconds=0.02)
    assert PATIENCE.get() == 600


def test_an_interruption_that_was_caught_is_none_the_less_raised() -> None:
    def zeros() -> list[float]:
        try:
            time.sleep(60)
        except Exception:
            return [0.0]
        except BaseException:
            return [1.0]
        return [2.0]

    with pytest.raises(RewardError, match="hangs"):
        ask("f", "mend it", zeros, seconds=0.05)


def test_a_refusal_that_was_caught_is_none_the_less_raised() -> None:
    def zero() -> float:
        try:
            return refuse()
        except Exception:
            return 0.0

    with pytest.raises(ConfigError, match="key_variable: KEY: set it"):
        ask("f", "mend it", zero)
    with pytest.raises(ConfigError, match="key_variable"):  # in a thread of its own, too
        ask("f", "mend it", lambda: DaemonThreads(1, "own").submit(zero).result())
    assert zero() == 0.0  # outside of a run it is the caller's business


def test_who_waits_for_a_thread_hears_of_foreign_code_that_hangs_there() -> None:
    go_on = threading.Event()
    threads = DaemonThreads(1, "elsewhere")
    future = threads.submit(ask, "env.step", "mend it", go_on.wait, 60, seconds=0.05)
    with pytest.raises(RewardError, match="^env.step: hangs: gave no answer in 0.05 s"):
        result_of(future)
    go_on.set()


def test_a_result_of_another_thread() -> None:
    done: Future[int] = Future()
    done.set_result(3)
    assert result_of(done) == 3
    failed: Future[int] = Future()
    failed.set_exception(TimeoutError("its own"))
    with pytest.raises(TimeoutError, match="its own"):
        result_of(failed)
