"""`backsight publish`: what it lists, and how it ends. Uploads are tested beside what makes them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import tiny_policy

Run = Callable[..., tuple[int, str, str]]
COMMAND = "publish"


@pytest.fixture
def model(tmp_path: Path) -> str:
    tiny_policy().save(tmp_path / "model")
    (tmp_path / "model" / "rows.jsonl").touch()
    return str(tmp_path / "model")


def test_a_dry_run_lists_the_files_and_asks_nobody(run: Run, model: str) -> None:
    code, out, _ = run(model, "me/mine", "--dry-run")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:5]] == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert out.splitlines()[5:] == [
        "left out, since it is no part of a model: rows.jsonl",
        "5 files, 144 kB, for me/mine",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/nowhere", "me/mine"], "error: run: runs/nowhere: there is no such folder"),
        (["model", "me/my model"], "error: repo: me/my model: write it as OWNER/NAME"),
        (["model"], "Missing argument 'REPO'"),
    ],
)
def test_what_does_not_fit_is_one_line(run: Run, model: str, words: list[str], said: str) -> None:
    code, out, err = run(*words)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1
