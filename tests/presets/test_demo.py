"""`make demo-all`, on one application and few items."""

from pathlib import Path

import pytest

from backsight.demo import applications


def test_it_ends_in_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(applications, "EVAL_ITEMS", 4)
    monkeypatch.setattr(applications, "APPLICATIONS", {"sentiment": "right labels"})
    applications.show(attempts=512, seed=0, output_dir=str(tmp_path))
    shown = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"sentiment-relabel", "sentiment-outcome"}
    assert "two methods, 512 attempts each" in shown
    assert all(column in shown for column in ("before", "plain RL", "with hindsight"))
    assert all(f"sentiment, {split}" in shown for split in applications.SPLITS.values())


def test_bad_input_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["demo", "--attempts", "0"])
    with pytest.raises(SystemExit) as ending:
        applications.main()
    assert ending.value.code == 2
    assert "error: stop.max_attempts: 0" in capsys.readouterr().err
