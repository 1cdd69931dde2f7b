"""The made-up run that the page is timed on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.view.made_run import SIBLINGS, make_run, pieces_of

from backsight.reports.run_folder import RunReader


def test_a_made_up_run_is_read_like_any_other(tmp_path: Path) -> None:
    reader = RunReader(make_run(tmp_path / "made", num_steps=3, num_groups=2, traced_every=2))
    assert [row["step"] for row in reader.metrics()] == [1, 2, 3]
    assert len(reader.trajectories()) == 3 * 2 * SIBLINGS
    assert reader.traces.steps() == [1, 3]
    assert reader.answers.steps() == [0, 3]


def test_it_is_the_same_by_its_seed(tmp_path: Path) -> None:
    one, two = (make_run(tmp_path / name, num_steps=1) for name in ("one", "two"))
    assert RunReader(one).trajectories() == RunReader(two).trajectories()


def test_pieces_are_the_text() -> None:
    assert "".join(pieces_of("a quiet river")) == "a quiet river"
