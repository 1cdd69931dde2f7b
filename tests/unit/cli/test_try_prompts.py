"""`backsight try`: what it prints, side by side, one below the other and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import reciting_policy, tiny_classifier

Run = Callable[..., tuple[int, str, str]]
COMMAND = "try"
HOSTILE = "a\x1b[2J\x00\u202e🦊"
SHOWN = r"a\x1b[2J\x00\u202e🦊"


@pytest.fixture(autouse=True)
def models(tmp_path: Path) -> None:
    reciting_policy("yes").save(tmp_path / "yes")
    reciting_policy("n\no").save(tmp_path / "no")
    reciting_policy(HOSTILE, template=None).save(tmp_path / "hostile")
    tiny_classifier(("up", "down")).save(tmp_path / "labels")


def piped(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_answers_stand_one_below_the_other_on_a_narrow_terminal(run: Run) -> None:
    code, out, err = run("yes", "why?", "how?", "--against", "no", "--samples", "2")
    one = "yes:\nyes\n\nno:\nn\no\n"
    assert (code, err) == (0, "")
    assert out == f"why?\n\n{one}\n{one}\nhow?\n\n{one}\n{one}"


def test_answers_stand_side_by_side_on_a_wide_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = run("yes", "why?", "--against", "no")
    rows = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in out.splitlines()]
    assert code == 0 and rows[0] == ["why?"]
    assert ["yes", "no"] in rows and ["yes", "n"] in rows and ["", "o"] in rows


def test_json_stands_alone_and_a_program_can_read_it(run: Run) -> None:
    code, out, err = run("hostile", "why?", "--against", "labels", "--json", "--temperature", "0")
    assert code == 0 and out.replace("\n", "").isprintable() and out.isascii()
    found = json.loads(out)
    assert found["paths"] == {"policy": "hostile", "against": "labels"}
    answers = found["prompts"][0]["answers"]
    assert answers["policy"] == [{"text": HOSTILE, "is_truncated": False}]
    assert sum(answers["against"][0]["probabilities"].values()) == pytest.approx(1)
    assert err == "".join(
        f"{name} has no chat template: it continues the prompts as plain text\n" for name in ("hostile", "labels")
    )


@pytest.mark.parametrize("columns", ["80", "120"])
def test_hostile_answers_and_prompts_are_only_shown(columns: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, _ = run("hostile", "\x1b[31mred", "--against", "yes")
    assert code == 0 and out.replace("\n", "").isprintable()
    assert SHOWN in out and r"\x1b[31mred" in out


def test_a_prompt_comes_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    piped("two\nlines 今".encode(), monkeypatch)
    code, out, _ = run("yes", "-")
    assert (code, out) == (0, "two\nlines 今\n\nyes:\nyes\n")


def test_the_seed_decides(run: Run) -> None:
    words = ("yes", "why?", "--temperature", "10", "--samples", "2", "--max-tokens", "5")
    assert run(*words)[1] == run(*words)[1] != run(*words, "--seed", "1")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["./nowhere", "a"], "policy: ./nowhere: no such folder"),
        (["yes", ""], "prompt: '': is empty"),
        (["yes", "-"], "prompt: '': is empty"),
        (["yes", "x" * 3000], "prompt: xxx"),
        (["yes", "a", "--max-tokens", "9999"], "prompt: a: 21 tokens and --max-tokens=9999 exceed the model's 2048;"),
        (["yes", "a", "--temperature", "-1"], "temperature: -1.0: must be greater than or equal to 0"),
        (["yes", "a", "--temperature", "warm"], "backsight try: try yes a --temperature warm: "),
        (["yes", "a", "--samples", "0"], "samples: 0: must be greater than or equal to 1"),
        (["yes", "a", "--seed", "-1"], "seed: -1: must be greater than or equal to 0"),
        (["yes", "a", "--against", "./yes"], "against: ./yes: is the policy itself"),
        (["yes"], "backsight try: try yes: Missing argument 'PROMPT...'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str], message: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(b"", monkeypatch)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


def test_bytes_that_are_no_text_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(b"caf\xe9", monkeypatch)
    code, out, err = run("yes", "-")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: standard input: what was read: is not in the terminal's encoding")
