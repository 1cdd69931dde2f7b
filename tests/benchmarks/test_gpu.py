"""The benchmark on a GPU: what it needs, the way to a machine without a network, and all of its parts on the CPU."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from benchmarks.gpu.jobs import Job, run_job
from benchmarks.gpu.pieces import CHECKSUMS, PiecesDamaged, cut, join
from benchmarks.gpu.prepare import card

REPOSITORY = Path(__file__).parents[2]
FILES = {"a.whl": b"a" * 9_000, "b.whl": bytes(range(256)) * 20}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    source, folder = tmp_path / "source", tmp_path / "pack"
    source.mkdir()
    for name, content in FILES.items():
        (source / name).write_bytes(content)
    cut(source, folder, most_bytes=4_000)
    return folder


def run_script(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(REPOSITORY / "benchmarks/gpu/run.sh"), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )


def test_pieces_are_small_and_give_back_the_files(pack: Path, tmp_path: Path) -> None:
    pieces = sorted(pack.glob("pack.tar.*"))
    assert len(pieces) > 3
    assert all(piece.stat().st_size <= 4_000 for piece in pieces)
    join(pack, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == FILES
    assert not (tmp_path / "pack.tar").exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "inner/file"])
def test_nothing_is_written_outside_of_the_folder(name: str, tmp_path: Path) -> None:
    member, whole, target = tarfile.TarInfo(name), io.BytesIO(), tmp_path / "target"
    member.size = 1
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(member, io.BytesIO(b"x"))
    (tmp_path / "pack.tar.00").write_bytes(whole.getvalue())
    (tmp_path / CHECKSUMS).write_text(f"{hashlib.sha256(whole.getvalue()).hexdigest()}  pack.tar.00\n")
    target.mkdir()
    with pytest.raises(PiecesDamaged, match="is no plain file of the folder that was packed"):
        join(tmp_path, target)
    assert not (tmp_path / "outside").exists()


def test_checksums_are_in_the_form_of_sha256sum(pack: Path) -> None:
    first = (pack / CHECKSUMS).read_text().splitlines()[0]
    assert first == f"{hashlib.sha256((pack / 'pack.tar.00').read_bytes()).hexdigest()}  pack.tar.00"


def test_a_new_pack_leaves_nothing_of_an_earlier_one(pack: Path, tmp_path: Path) -> None:
    cut(tmp_path / "source", pack, most_bytes=1_000_000)
    assert sorted(path.name for path in pack.iterdir()) == [CHECKSUMS, "pack.tar.00"]


def test_a_piece_that_is_missing_or_damaged_is_named(pack: Path, tmp_path: Path) -> None:
    (pack / "pack.tar.01").write_bytes(b"half")
    with pytest.raises(PiecesDamaged, match=r"pack\.tar\.01 is damaged \(4 bytes"):
        join(pack, tmp_path)
    (pack / "pack.tar.01").unlink()
    with pytest.raises(PiecesDamaged, match=r"pack\.tar\.01 is missing"):
        join(pack, tmp_path)


def test_the_card_is_the_first_that_nvidia_smi_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert card() is None
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 80GB HBM3, 580.159.04'\necho 'another, 1'\n")
    program.chmod(0o755)
    assert card() == ("NVIDIA H100 80GB HBM3", "580.159.04")
    program.write_text("#!/bin/sh\necho 'no devices were found'\nexit 6\n")
    assert card() is None


@pytest.mark.skipif(card() is not None, reason="needs a machine without a GPU")
def test_without_a_gpu_one_line_says_so() -> None:
    done = run_script()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "gpu: nvidia-smi finds no NVIDIA GPU here; --rehearse tries all parts on the CPU\n"


def test_missing_packages_are_named_in_one_line() -> None:
    bare = [sys.executable, "-S", "-m", "benchmarks.gpu.prepare", "--rehearse"]
    done = subprocess.run(bare, capture_output=True, text=True, cwd=REPOSITORY, env={})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "lacks torch, transformers, gymnasium" in done.stderr
    assert "benchmarks.gpu.pack" in done.stderr


def test_a_part_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    job = Job("the model", "model", 0.2, str(tmp_path), least=0.0, rehearses=True)
    outcome = run_job(job, 100.0)
    assert (outcome.state, outcome.note, outcome.rows) == ("failed", "was ended after 0 s", [])


def test_a_part_without_enough_time_is_not_begun() -> None:
    outcome = run_job(Job("speed", "speed", 100.0, "smollm2"), 12.0)
    assert (outcome.state, outcome.note) == ("skipped", "12 s were left, and it takes 20 s or more")


def test_a_part_that_fails_says_why() -> None:
    outcome = run_job(Job("a part", "no_such_module", 60.0, "smollm2"), 60.0)
    assert outcome.state == "failed"
    assert "No module named benchmarks.gpu.no_such_module" in str(outcome.note)


@pytest.mark.slow
def test_the_rehearsal_does_all_parts(tmp_path: Path) -> None:
    done = run_script("--rehearse", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    states = {part["part"]: part["state"] for part in found["parts"]}
    assert states.pop("speed") in ("done", "skipped")  # TRL need not be installed
    methods = ["with hindsight", "plain RL, all or nothing", "plain RL, share of constraints"]
    assert list(states) == ["the model", "QLoRA", "bf16", "CUDA graph", *methods]
    assert set(states.values()) == {"done"}, found["parts"]
    rows = {row["row"]: row["value"] for row in found["rows"]}
    assert {rows[f"{method}: attempts"] for method in methods} == {16}
    assert rows["CUDA graph: the same answers"] == 1
    assert all(row["holds"] is not False for row in found["rows"])
