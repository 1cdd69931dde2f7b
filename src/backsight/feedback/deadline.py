"""Deadlines for foreign code: whatever it does, it is interrupted when its time is up.

In the main thread, signals end the call, even one that waits or sleeps. A thread that looks at the deadlines sends
them; while C code keeps every other thread from running, as a regular expression does, a timer does. Python lets no
other thread be woken: there the interruption comes with the next line of Python, so that code which waits for ever is
only noticed by who waits for its answer.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

SIGNAL: int = getattr(signal, "SIGRTMAX", getattr(signal, "SIGUSR2", 0))
"""Signal that wakes the main thread; one that hardly anybody uses. 0: this system has none to send to a thread."""
REPEAT = 1.0
"""Seconds between interruptions of code that goes on regardless."""


class Overdue(BaseException):
    """The interruption of a call whose time is up. It is no `Exception`, so that foreign code does not catch it."""


class Deadline:
    """A time until which a call in this thread has to end: from `begin` on, which `end` has to follow.

    Args:
        author: a function that says who is at work, for the message when the time is up.
        seconds: seconds until then.
    """

    __slots__ = ("alarm", "author", "late", "seconds", "stack")

    def __init__(self, author: Callable[[], str], seconds: float) -> None:
        self.author, self.seconds = author, seconds
        self.stack: list[Deadline] = []
        self.late: str | None = None
        """Who was at work when the time was up; None as long as it is not."""

    def begin(self) -> None:
        """Begin to count the time."""
        thread = threading.get_ident()
        self.alarm = time.monotonic() + self.seconds
        self.stack = _WATCH.stacks.setdefault(thread, [])
        self.stack.append(self)
        _WATCH.attend(thread, self.seconds)

    def end(self) -> None:
        """Stop to count, here and in calls inside this one."""
        if self in self.stack:
            del self.stack[self.stack.index(self) :]
        if not self.stack:
            _WATCH.leave(threading.get_ident(), was_late=self.late is not None)


def find_stuck() -> Deadline | None:
    """Return a deadline that has passed in another thread than this one, if there is one."""
    here = threading.get_ident()
    others = [stack for thread, stack in list(_WATCH.stacks.items()) if thread != here]
    return next((each for stack in others for each in list(stack) if each.late is not None), None)


class _Watch:
    """A thread that looks at all deadlines, and interrupts what is overdue."""

    def __init__(self) -> None:
        self.stacks: dict[int, list[Deadline]] = {}
        """Deadlines that are counted, by thread, the innermost last."""
        self.wake = threading.Event()
        self.thread: threading.Thread | None = None
        self.is_listening = self.has_timer = self.is_timed = False

    def attend(self, thread: int, seconds: float) -> None:
        """See to it that a deadline in so many seconds is looked at in time."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
            self.thread.start()
        if _has_signals(thread):
            if not self.is_listening:
                self._listen()
            if self.has_timer and (not self.is_timed or seconds < REPEAT):
                signal.setitimer(signal.ITIMER_VIRTUAL, min(REPEAT, seconds), REPEAT)
                self.is_timed = True
        if seconds < REPEAT:
            self.wake.set()

    def leave(self, thread: int, *, was_late: bool) -> None:
        """Forget a thread in which no deadline is counted any more, and what might still interrupt it."""
        self.stacks.pop(thread, None)
        if was_late and not _has_signals(thread):
            _raise_in(thread, None)

    def forget(self) -> None:
        """Forget the threads and the timer, which a fork leaves behind."""
        self.thread, self.is_timed = None, False
        self.stacks.clear()
        self.wake = threading.Event()

    def _listen(self) -> None:
        """Take the signals. The timer counts the time of the processor; it is left to anybody who already has it."""
        signal.signal(SIGNAL, self._interrupt)
        if signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL:
            signal.signal(signal.SIGVTALRM, self._interrupt)
            signal.siginterrupt(signal.SIGVTALRM, False)  # what waits need not notice
            atexit.register(signal.setitimer, signal.ITIMER_VIRTUAL, 0)  # the handler goes before the process does
            self.has_timer = True
        self.is_listening = True

    def _watch(self) -> None:
        while True:
            self.wake.clear()
            self._rest()
            for thread, stack in list(self.stacks.items()):
                if self._mark_late(list(stack)):
                    _wake_up(thread)
            alarms = [deadline.alarm for stack in list(self.stacks.values()) for deadline in list(stack)]
            self.wake.wait(max(0.0, min([REPEAT, *(alarm - time.monotonic() for alarm in alarms)])))

    def _rest(self) -> None:
        """Stop the timer while there is no deadline, which may begin at the same moment."""
        if self.is_timed and not self.stacks:
            self.is_timed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if self.stacks:
                signal.setitimer(signal.ITIMER_VIRTUAL, REPEAT, REPEAT)
                self.is_timed = True

    def _interrupt(self, signum: int, frame: object) -> None:
        """Interrupt the main thread, unless the call came to its end while the signal was on its way."""
        stack = list(self.stacks.get(threading.get_ident(), ()))
        self._mark_late(stack)
        if any(deadline.late for deadline in stack):
            raise Overdue

    def _mark_late(self, stack: Sequence[Deadline]) -> bool:
        """Mark the deadlines that have passed, and return whether there are such, which are to be told now."""
        now = time.monotonic()
        passed = [deadline for deadline in stack if deadline.alarm <= now]
        for deadline in passed:
            deadline.late = deadline.late or stack[-1].author()
            deadline.alarm = now + REPEAT
        return bool(passed)


def _wake_up(thread: int) -> None:
    if _has_signals(thread):
        signal.pthread_kill(thread, SIGNAL)
    else:
        _raise_in(thread, Overdue)


def _has_signals(thread: int) -> bool:
    return SIGNAL != 0 and thread == threading.main_thread().ident


def _raise_in(thread: int, error: type[Overdue] | None) -> None:
    """Raise the error in a thread as soon as it runs Python again; None takes back one that was not raised yet."""
    value = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)


_WATCH = _Watch()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WATCH.forget)
