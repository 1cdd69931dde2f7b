"""The campaign sees what a run that was ended has left behind, and counts what a process writes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.campaign.kinds import KINDS
from benchmarks.campaign.straight import Straight

ROWS = [{"step": 1, "reward": 0.5, "step_time": 0.25}, {"step": 2, "reward": 0.75, "time/decode": 0.5}]


def write_run(folder: Path, rows: list[dict[str, Any]], files: dict[str, bytes]) -> Path:
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("rows", "files", "expected"),
    [
        (ROWS, {"weights": b"1"}, None),
        ([{**ROWS[0], "step_time": 9.0}, ROWS[1]], {"weights": b"1"}, None),
        (ROWS, {"weights": b"2"}, "weights differs"),
        (ROWS, {}, "no weights"),
        (ROWS, {"weights": b"1", ".step-000002.partial": b""}, "left over .step-000002.partial"),
        ([*ROWS, ROWS[1]], {"weights": b"1"}, "metrics.jsonl differs: 3 lines, not 2"),
        ([ROWS[0], {**ROWS[1], "reward": 0.750001}], {"weights": b"1"}, "metrics.jsonl differs in line 2: reward"),
    ],
)
def test_a_difference_is_named(
    tmp_path: Path, rows: list[dict[str, Any]], files: dict[str, bytes], expected: str | None
) -> None:
    straight = Straight("decoder-only", tmp_path, write_run(tmp_path / "a", ROWS, {"weights": b"1"}), 1.0, 1, 2)
    assert straight.difference(write_run(tmp_path / "b", rows, files)) == expected


def test_a_process_kills_itself_at_a_write(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom benchmarks.campaign.processes import killing_itself\n"
        "folder = Path(sys.argv[1])\nkilling_itself(folder, 3, 0.0)()\n"
        "for name in 'abcd':\n    (folder / name).write_text('')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2])
    assert done.returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_every_kind_begins_and_goes_on(tmp_path: Path) -> None:
    for kind in KINDS.values():
        began = kind.resuming(tmp_path, tmp_path / "run")
        assert began == kind.words(tmp_path, tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    assert KINDS["LoRA"].resuming(tmp_path, tmp_path / "run")[:2] == ["train", "--resume"]
