"""Commands, run as the shell would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backsight.cli.main import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def backsight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """The command line with these words, in an empty folder: exit code, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["backsight", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def run(request: pytest.FixtureRequest, backsight: Command) -> Command:
    """The same for the test module's `COMMAND`."""
    return lambda *words: backsight(request.module.COMMAND, *words)
