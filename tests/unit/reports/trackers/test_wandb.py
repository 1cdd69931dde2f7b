"""Weights & Biases writes a run to this machine, and a resumed one has the same id."""

from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="pip install 'backsight[wandb]'")

from backsight.reports.trackers.wandb import Wandb


def test_a_run_is_written_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "mine"
    folder.mkdir()
    identities = []
    for step in (0, 1):
        tracker = Wandb(folder, {"seed": 3}, step)
        identities.append(tracker._run.id)
        tracker.log(step + 1, {"reward": 0.5})
        tracker.log_samples(step + 1, [[step + 1, "say", "red", 1.0, -0.5]])
        tracker.close()
    assert identities[0] == identities[1]
    assert list((folder / "wandb").glob("offline-run-*/*.wandb"))
