"""What all commands share: usage, help, the version, and that help is quick."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("words", [["bogus"], []])
def test_wrong_usage_is_exit_code_2(backsight: Command, words: list[str]) -> None:
    code, _, err = backsight(*words)
    assert code == 2
    assert "Traceback" not in err


def test_version(backsight: Command) -> None:
    assert backsight("--version") == (0, "0.1.0\n", "")


def test_python_runs_it_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "backsight", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == "0.1.0\n"


def test_help_names_every_command(backsight: Command) -> None:
    code, out, _ = backsight("--help")
    assert code == 0
    assert all(command in out for command in ("train", "evaluate", "compare", "check", "export", "publish"))


def test_help_is_quick_because_it_imports_little() -> None:
    code = (
        "import sys; sys.argv = ['backsight', '--help']\n"
        "from backsight.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit(bool({'torch', 'transformers', 'yaml', 'numpy', 'backsight.config'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
