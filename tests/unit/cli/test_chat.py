"""`backsight chat`: from a pipe, and with a person at a terminal."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tiny_models import reciting_policy, tiny_classifier

Run = Callable[..., tuple[int, str, str]]
Chat = Callable[..., tuple[int, str, str]]
COMMAND = "chat"
HOSTILE = "a\x1b[2J\x00\u202e🦊"
SHOWN = r"a\x1b[2J\x00\u202e🦊"
LOUD = "{% for each in messages %}{{ each.content }}\n{% endfor %}"
PATHS = os.pathsep.join(str(Path(__file__).parents[3] / part) for part in ("src", "pocket/src"))


@pytest.fixture
def chat(run: Run, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """The command with this in its pipe."""

    def chat(lines: bytes, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8"))
        return run(*words)

    return chat


def test_a_line_is_a_turn_and_answers_stand_alone(chat: Chat, tmp_path: Path) -> None:
    reciting_policy("yes").save(tmp_path / "yes")
    assert chat("one\n\n今\r\n/reset\n  \nlast".encode(), "yes", "--system", "be brief") == (0, "yes\n" * 3, "")
    assert chat(b"one\n/quit\ntwo\n", "yes") == (0, "yes\n", "")
    assert chat(b"", "yes") == (0, "", "")


def test_without_a_template_it_says_so_and_shows_what_is_hostile(chat: Chat, tmp_path: Path) -> None:
    reciting_policy(HOSTILE, template=None).save(tmp_path / "hostile")
    code, out, err = chat(b"one\n", "hostile")
    assert (code, out) == (0, f"{SHOWN}\n")
    assert err == "hostile has no chat template: it continues each line as plain text, and remembers none\n"


def test_what_is_forgotten_or_cut_off_is_said(chat: Chat, tmp_path: Path) -> None:
    policy = reciting_policy("abcdef", template=LOUD)
    policy.model.config.max_position_embeddings = 64
    policy.save(tmp_path / "model")
    code, out, err = chat(b"x" * 20 + b"\n" + b"x" * 20 + b"\n" + b"x" * 50 + b"\n", "model", "--max-tokens", "4")
    cut = "cut off; --max-tokens allows longer answers\n"
    said = "the conversation has outgrown the context: the oldest 2 turns are forgotten\n"
    assert (code, out) == (0, "abcd\n" * 3)
    assert err == f"{cut}{cut}{said}{cut}"


def test_a_classifier_chats(chat: Chat, tmp_path: Path) -> None:
    tiny_classifier(("up", "down")).save(tmp_path / "labels")
    code, out, _ = chat(b"one\n", "labels")
    assert code == 0 and out.startswith(("up (up 0.", "down (down 0."))


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (b"a\n", ["./nowhere"], "policy: ./nowhere: no such folder"),
        (b"a\n", ["yes", "--temperature", "-1"], "temperature: -1.0: must be greater than or equal to 0"),
        (b"a\n", ["yes", "--max-tokens", "0"], "max_tokens: 0: must be greater than or equal to 1"),
        (b"x" * 3000, ["yes"], "prompt: xxx"),
        (b"caf\xe9\n", ["yes"], "standard input: what was read: is not in the terminal's encoding"),
        (b"a\n", ["strict", "--system", "x"], "messages: "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    lines: bytes, words: list[str], message: str, chat: Chat, tmp_path: Path
) -> None:
    reciting_policy("yes").save(tmp_path / "yes")
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}x"
    reciting_policy("yes", template=strict).save(tmp_path / "strict")
    code, out, err = chat(lines, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


SLOWEST_END = 10.0
"""Seconds that the command may take to end after a key, on a machine that has other things to do."""
TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that it hears the Ctrl-C that is typed
from backsight.cli.main import main
main()
"""


class Terminal:
    """A pseudo-terminal with the command in it."""

    def __init__(self, command: subprocess.Popen[bytes], master: int) -> None:
        self.command, self.master, self.seen = command, master, ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until the text has come."""
        while text not in self.seen:
            self.seen += os.read(self.master, 4096).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def end(self, key: str) -> int:
        """Press a key until the command has ended, and return its exit code.

        A Ctrl-C between the prompt and the moment in which Python's `input` begins to wait is heard only with
        the next key. No person is so quick. One that comes while Python is leaving would end it by the signal.
        """
        with suppress(OSError):  # which a terminal raises once nobody has it open any more
            while self.command.poll() is None:
                self.type(key)
                pressed = time.monotonic()
                while self.command.poll() is None and time.monotonic() - pressed < SLOWEST_END:
                    if select.select([self.master], [], [], 0.1)[0]:  # what is written has to be read
                        os.read(self.master, 4096)
        return self.command.wait(60)


@contextmanager
def terminal(*words: str, folder: Path) -> Iterator[Terminal]:
    master, slave = os.openpty()
    command = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PATHS, "TERM": "dumb"},
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(command, master)
    finally:
        command.kill()
        command.wait()
        os.close(master)


CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "code"), [(CTRL_D, 0), ("/quit\n", 0), (CTRL_C, 130)])
def test_ctrl_c_stops_an_answer_and_the_talk_goes_on(ending: str, code: int, tmp_path: Path) -> None:
    reciting_policy("abc", without_end=True).save(tmp_path / "model")
    with terminal("chat", "model", "--max-tokens", "2000", folder=tmp_path) as at:
        at.wait_for("Ctrl-C stops an answer")
        for _ in range(2):
            at.wait_for("> ")
            at.type("go on\n")
            at.wait_for("abcabc")
            at.type(CTRL_C)
            at.wait_for("stopped")
        at.wait_for("> ")
        at.type("x" * 3000 + "\n")
        at.wait_for("shorten the prompt")
        at.wait_for("> ")
        assert at.end(ending) == code
