"""Every signal that asks a program to end is heard once, and then does what it did before."""

import signal
import threading

import pytest

from backsight.interrupts import SIGNALS, ask_to_end, calling_on_interrupt, treat_all_as_ctrl_c


@pytest.fixture(autouse=True)
def restored() -> object:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("again", SIGNALS)
def test_the_first_is_passed_on_and_the_second_ends_the_program(number: int, again: int) -> None:
    treat_all_as_ctrl_c()
    heard: list[str] = []
    with pytest.raises(KeyboardInterrupt), calling_on_interrupt(lambda: heard.append("once")):
        signal.raise_signal(number)
        assert heard == ["once"]
        signal.raise_signal(again)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with calling_on_interrupt(lambda: None):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    treat_all_as_ctrl_c()
    with calling_on_interrupt(lambda: None):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_another_thread_leaves_signals_alone() -> None:
    found: list[object] = []

    def look() -> None:
        with calling_on_interrupt(lambda: None):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


def test_only_the_named_signals_are_passed_on() -> None:
    treat_all_as_ctrl_c()
    heard: list[str] = []
    with pytest.raises(KeyboardInterrupt), calling_on_interrupt(lambda: heard.append("once"), [signal.SIGINT]):
        signal.raise_signal(signal.SIGINT)
        assert heard == ["once"]
        signal.raise_signal(signal.SIGTERM)


def test_outside_of_the_main_thread_the_innermost_block_is_asked() -> None:
    heard: list[str] = []

    def work() -> None:
        with calling_on_interrupt(lambda: heard.append("outer")), calling_on_interrupt(lambda: heard.append("inner")):
            assert ask_to_end()

    assert not ask_to_end()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == ["inner"] and not ask_to_end()
