"""`backsight explain`: its tables, and its refusals."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import sentiment_run

COMMAND = "explain"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(sentiment_run(tmp_path_factory.mktemp("explain"), "\x1b[2J", stop={"max_steps": 2}, trace="all"))


def test_the_rows_that_did_most_are_shown(folder: str, run: Run, tmp_path: Path) -> None:
    code, out, err = run(folder, "--prompt", "t1", "--completion", " positive", "--top", "2", "--json", "why.json")
    assert (code, err) == (0, "")
    assert "the 2 rows of" in out and "by method: " in out and "\x1b" not in out
    assert json.loads((tmp_path / "why.json").read_text())["steps"].keys() == {"1"}


def test_the_tokens_that_feedback_speaks_against_are_shown(folder: str, run: Run) -> None:
    code, out, _ = run(folder, "--attempt", "1/0/0", "--feedback", "Say positive. Now.")
    assert code == 0 and "told: Say positive. Now." in out and "all of it" in out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "explain: what: choose one: --prompt with --completion, --held-out SPLIT, or --attempt"),
        (("--held-out", "test", "--attempt", "1/0/0"), "explain: what: choose one"),
        (("--prompt", "t1"), "--prompt or --completion: is missing"),
        (("--attempt", "one"), "attempt: one: write three numbers"),
        (("--held-out", "test", "--steps", "a"), "steps: a: is no number"),
        (("--held-out", "test", "--steps", "2"), "steps: 2: has no checkpoint before it; there are steps 1"),
        (("--held-out", "test", "--json", "a.txt"), "json: a.txt: give it one of the endings .json"),
    ],
)
def test_bad_input_gets_one_line(words: tuple[str, ...], error: str, folder: str, run: Run) -> None:
    code, out, err = run(folder, *words)
    assert code == 2 and error in err and err.count("\n") == 1 and out == ""


def test_a_folder_that_is_no_run_gets_one_line(run: Run) -> None:
    code, _, err = run("nowhere", "--held-out", "test")
    assert code == 2 and "nowhere" in err and err.count("\n") == 1
