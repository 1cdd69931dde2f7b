"""Threads that end with the process, whatever they are doing, and an event loop in one of them.

The threads of `concurrent.futures` are joined before the process ends, so that one function that hangs would keep it
alive for ever.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import Context, copy_context
from functools import partial
from typing import Any, NoReturn, TypeVar

_T = TypeVar("_T")
_Outcome = Callable[[], _T]

SPELL = 0.2
"""Seconds that a thread waits for an answer without running Python."""
PARTING = 1.0
"""Most seconds to wait for what is cancelled when an event loop ends."""


class DaemonThreads(ThreadPoolExecutor):
    """Up to `workers` daemon threads, started when they are needed. They end when this object is forgotten.

    It is a `ThreadPoolExecutor` because an event loop takes no other executor as its own.
    """

    def __init__(self, workers: int, name: str) -> None:
        super().__init__(workers, name)
        self.workers, self.name, self.started = workers, name, 0
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        weakref.finalize(self, _dismiss, self._calls, workers)

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Call the function in a thread, with the context variables of this one."""
        future: Future[_T] = Future()
        self._calls.put(_Call(future, copy_context(), lambda: fn(*args, **kwargs)))
        if self.started < self.workers:
            self.started += 1
            threading.Thread(target=_work, args=(self._calls,), name=self.name, daemon=True).start()
        return future


class _Call:
    """A function to call in a thread, and the future that waits for its answer."""

    def __init__(self, future: Future[Any], context: Context, function: Callable[[], Any]) -> None:
        self.future, self.context, self.function = future, context, function

    def make(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.context.run(self.function))
        except BaseException as error:  # raised again where the answer is waited for
            self.future.set_exception(error)


def _work(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        call.make()
        del call  # what it holds may be forgotten while this thread waits for the next one


def _dismiss(calls: queue.SimpleQueue[_Call | None], workers: int) -> None:
    for _ in range(workers):
        calls.put(None)


class EventLoop:
    """One event loop in a daemon thread, started when it is needed.

    It ends when this object is forgotten, and at the latest with the process; what still runs in it is cancelled.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, answer: Awaitable[_T]) -> _T:
        """Return the result of a coroutine, which is cancelled if waiting for it is interrupted."""
        return self.wait(self.start(answer))

    def start(self, answer: Awaitable[_T]) -> Future[_Outcome[_T]]:
        """Let a coroutine, or whatever else can be awaited, run in the loop; its result is for `wait`."""
        return asyncio.run_coroutine_threadsafe(_outcome(answer), self._started())

    def wait(self, future: Future[_Outcome[_T]]) -> _T:
        """Return the result of what `start` started, which is cancelled if waiting for it is interrupted.

        It is waited for in short spells: outside of the main thread, Python is only interrupted between two of them.
        """
        try:
            while not wait([future], timeout=SPELL).done:
                pass
            return future.result()()
        finally:
            future.cancel()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop.set_default_executor(DaemonThreads(8, self.name))
                thread = threading.Thread(target=_run_forever, args=(self._loop,), name=self.name, daemon=True)
                thread.start()
                weakref.finalize(self, _end, self._loop, thread)
        return self._loop


async def _outcome(answer: Awaitable[_T]) -> _Outcome[_T]:
    """Return a function that returns or raises what came of it: `sys.exit` in a task would end the loop."""
    try:
        said = await answer
    except (SystemExit, KeyboardInterrupt) as error:
        return partial(_raise, error)
    return lambda: said


def _raise(error: BaseException) -> NoReturn:
    raise error


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))  # connections that they have closed are gone in the next round
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """End a loop, and wait a moment for what is cancelled in it."""
    loop.call_soon_threadsafe(loop.stop)
    if threading.current_thread() is not thread:
        thread.join(PARTING)
