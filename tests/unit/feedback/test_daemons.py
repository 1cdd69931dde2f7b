"""Threads that end with the process, and an event loop in one of them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from backsight.feedback.daemons import DaemonThreads, EventLoop

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


def wait_until_gone(name: str) -> bool:
    limit = time.monotonic() + 20
    while any(each.name == name for each in threading.enumerate()) and time.monotonic() < limit:
        gc.collect()
        time.sleep(0.01)
    return all(each.name != name for each in threading.enumerate())


def test_calls_are_made_in_threads_with_the_variables_of_the_caller() -> None:
    threads = DaemonThreads(2, "two")
    token = NAME.set("me")
    here = threads.submit(lambda: (NAME.get(), threading.current_thread().daemon))
    NAME.reset(token)
    assert here.result(20) == ("me", True)
    meeting = threading.Barrier(2, timeout=20)
    assert len([each.result(20) for each in [threads.submit(meeting.wait) for _ in range(2)]]) == 2
    with pytest.raises(SystemExit):
        threads.submit(sys.exit).result(20)
    assert threads.submit(len, "abc").result(20) == 3  # the thread has outlived that


def test_threads_and_loops_that_are_forgotten_end() -> None:
    threads, loop = DaemonThreads(3, "forgotten"), EventLoop("forgotten loop")
    threads.submit(len, "abc").result(20)
    assert loop.run(asyncio.sleep(0, "done")) == "done"
    del threads, loop
    assert wait_until_gone("forgotten") and wait_until_gone("forgotten loop")


def test_one_loop_runs_everything() -> None:
    loop = EventLoop("one")

    async def which() -> int:
        return id(asyncio.get_running_loop())

    assert loop.run(which()) == loop.run(which())


@pytest.mark.parametrize("hang", ["asyncio.sleep(60)", "asyncio.to_thread(time.sleep, 60)"])
def test_neither_keeps_the_process_alive(hang: str) -> None:
    code = f"""
import asyncio, threading, time
from backsight.feedback.daemons import DaemonThreads, EventLoop
threads, loop = DaemonThreads(1, "t"), EventLoop("l")
threads.submit(time.sleep, 60)
threads.submit(loop.run, {hang})
threading.Thread(target=lambda: loop.run({hang}), daemon=True).start()
time.sleep(0.2)
"""
    started = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert time.monotonic() - started < 30


def test_what_runs_in_a_loop_that_ends_is_cancelled() -> None:
    loop, done = EventLoop("ends"), []
    begun = threading.Event()

    async def tidy() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            done.append("tidied up")

    future = loop.start(tidy())
    assert begun.wait(20)
    del loop
    assert wait_until_gone("ends") and done == ["tidied up"] and future.cancelled()


def test_a_coroutine_that_ends_the_process_does_not_end_the_loop() -> None:
    loop = EventLoop("lasts")

    async def leaves() -> None:
        sys.exit(3)

    with pytest.raises(SystemExit):
        loop.run(leaves())
    assert loop.run(asyncio.sleep(0, "goes on")) == "goes on"
