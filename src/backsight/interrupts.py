"""Signals that ask a program to end: Ctrl-C (SIGINT), `kill` and schedulers (SIGTERM), a closed terminal (SIGHUP)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_elsewhere: list[Callable[[], None]] = []
"""What is called in place of a signal outside of the main thread, the innermost last."""

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def calling_on_interrupt(
    call: Callable[[], None], signals: Sequence[signal.Signals] = tuple(SIGNALS)
) -> Iterator[None]:
    """Call the function when one of the signals asks the program to end; the next does what it did before the block.

    Outside of the main thread, which alone gets signals, `ask_to_end` has it called.
    """
    if threading.current_thread() is not threading.main_thread():
        _elsewhere.append(call)
        try:
            yield
        finally:
            _elsewhere.remove(call)
        return

    def restore() -> None:
        for number, handler in previous.items():
            if handler is not None:  # None: it was not set from Python
                signal.signal(number, handler)

    def interrupt(number: int, frame: FrameType | None) -> None:
        call()
        restore()

    # `nohup` has the end of the terminal ignored, and means it
    heard = [each for each in signals if each == signal.SIGINT or signal.getsignal(each) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        restore()


def ask_to_end() -> bool:
    """Ask the innermost block outside of the main thread to end, as a signal would; return whether there is one."""
    for call in _elsewhere[-1:]:
        call()
        return True
    return False


def treat_all_as_ctrl_c() -> None:
    """Let every signal that asks the program to end raise `KeyboardInterrupt`, as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
