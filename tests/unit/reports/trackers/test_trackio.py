"""Trackio keeps a run on this machine."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from backsight.reports.trackers.trackio import Trackio

pytestmark = pytest.mark.skipif(find_spec("trackio") is None, reason="pip install 'backsight[trackio]'")


def test_a_run_is_kept_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # it is read once, when trackio is imported
    folder = tmp_path / "mine"
    folder.mkdir()
    tracker = Trackio(folder, {"seed": 3}, 0)
    tracker.log(1, {"reward": 0.5})
    tracker.log_samples(1, [[1, "say", "red", 1.0, -0.5]])
    tracker.close()
    assert any((tmp_path / "trackio").rglob("*.db"))
    assert capsys.readouterr().out == ""
