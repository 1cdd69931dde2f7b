"""Runs of 30 steps that are ended in the middle go on from their checkpoint alone, to the same bits of everything."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.campaign.kinds import KINDS, make_kit
from benchmarks.campaign.straight import contents

from backsight.cli.main import main
from backsight.reports.run_folder import Recorder

STEPS = 30
SINGLE = [name for name, kind in KINDS.items() if kind.methods is None]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def run(kind: str, kit: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Begin the run in the folder or go on with it, and return its exit code."""
    folder.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(sys, "argv", ["backsight", *KINDS[kind].resuming(kit, folder, STEPS)])
    command = KINDS[kind].command
    if command is None:
        with pytest.raises(SystemExit) as ending:
            main()
        return int(ending.value.code or 0)
    try:
        command(folder, STEPS)
    except SystemExit as ending:
        return int(ending.code or 0)
    return 0


def signal_at(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the signal come while the lines of a step are written."""
    write, sent = Recorder.add_metrics, []

    def writing(self: Recorder, at: int, values: Any) -> None:
        write(self, at, values)
        if at == step and not sent:
            sent.append(at)
            signal.raise_signal(number)

    monkeypatch.setattr(Recorder, "add_metrics", writing)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SINGLE)
def test_a_run_that_is_ended_goes_on_to_the_same_bits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit, straight, ended = tmp_path / "kit", tmp_path / "straight" / "run", tmp_path / "ended" / "run"
    kit.mkdir()
    make_kit(kit)
    assert run(kind, kit, straight, monkeypatch) == 0
    signal_at(15, SIGNALS[SINGLE.index(kind) % len(SIGNALS)], monkeypatch)
    assert run(kind, kit, ended, monkeypatch) == 130
    newest = sorted(path.name for path in (ended / "checkpoints").iterdir())[-1]
    assert "step-000015" <= newest < "step-000020"
    if KINDS[kind].model and "adapter" not in (KINDS[kind].settings or {}):
        shutil.rmtree(kit / KINDS[kind].model)
    assert run(kind, kit, ended, monkeypatch) == 0
    expected, found = contents(straight), contents(ended)
    for files in (expected, found):
        files.pop("messages.jsonl", None)  # it says that the model is gone
    assert expected.keys() == found.keys()
    assert [name for name, value in expected.items() if value != found[name]] == []
