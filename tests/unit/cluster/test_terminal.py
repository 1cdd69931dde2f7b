"""What ranks say to the program that has placed them."""

import asyncio

import pytest

from backsight.cluster.terminal import ERR, OUT, News, Relay, Terminal, own_streams
from backsight.errors import ConfigError


def test_news_come_once_and_in_order() -> None:
    async def talk() -> tuple[News, News]:
        terminal = Terminal()
        await terminal.write(OUT, "one\n")
        await terminal.write(ERR, "two\n")
        return await terminal.read(), await terminal.read()

    first, second = asyncio.run(talk())
    assert first.lines == [(OUT, "one\n"), (ERR, "two\n")] and first.ending is None
    assert second == News()


def test_the_first_rank_says_why_the_run_ends() -> None:
    async def fail() -> News:
        terminal = Terminal()
        for field in ("first", "second"):
            await terminal.end(ConfigError(field, 1, "mend it"))
        return await terminal.read()

    assert str(asyncio.run(fail()).ending) == "first: 1: mend it"


def test_who_waits_for_the_end_is_told_of_it() -> None:
    async def wait() -> bool:
        terminal = Terminal()
        waiting = asyncio.create_task(terminal.wait_for_end())
        await asyncio.sleep(0)
        was_waiting = not waiting.done()
        await terminal.ask_to_end()
        await waiting
        return was_waiting

    assert asyncio.run(wait())


def test_starts_are_counted() -> None:
    async def count() -> list[int]:
        terminal = Terminal()
        return [await terminal.count_start() for _ in range(3)]

    assert asyncio.run(count()) == [0, 1, 2]


def test_a_relay_sends_whole_lines_and_what_is_flushed() -> None:
    sent: list[str] = []
    relay = Relay(sent.append, is_terminal=True)
    print("one", "two", file=relay)
    relay.write("three\nfo")
    relay.write("ur")
    assert sent == ["one two\n", "three\n"] and relay.isatty()
    relay.flush()
    relay.flush()
    assert sent == ["one two\n", "three\n", "four"]


def test_what_others_print_meanwhile_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    with own_streams() as show:
        print("(raylet) a machine is lost")
        show(News([(OUT, "step 1\n"), (ERR, "careful\n")]))
    print("after")
    assert capsys.readouterr() == ("step 1\nafter\n", "careful\n")
