"""`backsight export`: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import tiny_policy

Run = Callable[..., tuple[int, str, str]]
COMMAND = "export"


@pytest.fixture
def model(tmp_path: Path) -> str:
    tiny_policy().save(tmp_path / "model")
    return str(tmp_path / "model")


def test_it_says_where_and_how_large(run: Run, model: str) -> None:
    code, out, _ = run(model, "--to", "copy")
    assert (code, out) == (0, "written: copy (144 kB)\n")
    code, out, _ = run(model, "--merge", "--dtype", "bfloat16")
    assert code == 0 and out.startswith("written: exports/model (")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runs/nowhere"], "error: run: runs/nowhere: there is no such folder"),
        (["model", "--to", "model"], "error: to: model: exists and is left as it is"),
        (["model", "--dtype", "float16"], "'float16' is not one of 'float32', 'bfloat16'"),
    ],
)
def test_what_does_not_fit_is_one_line(run: Run, model: str, words: list[str], said: str) -> None:
    code, out, err = run(*words)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1
