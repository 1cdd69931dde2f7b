"""Checkpoints of several ranks: what goes on from them, on as many ranks and on others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from scale.launching import PATIENCE, work
from scale.test_same_run import FIXED, TIMED, rows_of, weights_of

from backsight.training.checkpoints import checkpoints, find_fault

pytestmark = pytest.mark.timeout(PATIENCE)

SETTINGS: dict[str, Mapping[str, Any]] = {
    "all": {"hindsight": "gold_anchor", "algorithm": "ppo", "beta": 0.1, "keep_best": True, "eval_steps": 1},
    "bfloat16": {"hindsight": "self_distill", "bf16": True, "teacher": {"check_steps": 0, "update": "ema"}},
    "adapter": {"hindsight": "gold_anchor", "adapter": "lora", "learning_rate": 1e-2},
    "ahead": {"hindsight": "gold_anchor", "max_staleness": 1, "loss_type": "tis"},
}
HALF, WHOLE = 2, 4
"""Steps of a run that is stopped, and of one that is not."""
TIMES = ("seconds", "checksum", "checksums", "origin")
"""What a checkpoint says of itself that differs from run to run."""


@pytest.fixture(scope="module")
def runs(kit: Path) -> Path:
    """Return a folder with runs that were not stopped, and such that were stopped and went on, on other ranks."""
    output = kit / "stopped"
    for ranks in (1, 2):
        jobs: dict[str, Mapping[str, Any]] = {}
        for name, settings in SETTINGS.items():
            fixed = {**FIXED, **settings, "output_dir": str(output), "save_total_limit": 9}
            jobs[f"{name}-{ranks}"] = {**fixed, "stop": {"max_steps": WHOLE}}
            jobs[f"{name}-{ranks}-half"] = {**fixed, "stop": {"max_steps": HALF}}
        work(ranks, kit, jobs)
    for after, before in ((1, (2,)), (2, (1, 2)), (3, (2,))):
        jobs = {}
        for name in SETTINGS:
            for first in before:
                folder = output / f"{name}-{first}-{after}"
                shutil.copytree(output / f"{name}-{first}-half", folder)
                jobs[folder.name] = {"resume": str(folder), "stop.max_steps": WHOLE}
        work(after, kit, jobs)
    return output


@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_that_goes_on_ends_in_the_same_bits(name: str, runs: Path) -> None:
    straight, resumed = runs / f"{name}-2", runs / f"{name}-2-2"
    expected, found = weights_of(straight), weights_of(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    for one, other in zip(*(rows_of(run / "metrics.jsonl") for run in (straight, resumed)), strict=True):
        assert untimed(one) == untimed(other)
    last, again = (checkpoints(run / "checkpoints")[-1] for run in (straight, resumed))
    for file in sorted(last.glob("*.safetensors")):
        one, other = load_file(file), load_file(again / file.name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one), file.name
    one, other = (json.loads((place / "progress.json").read_text()) for place in (last, again))
    assert {key: one[key] for key in one if key not in TIMES} == {key: other[key] for key in other if key not in TIMES}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 3)])
def test_a_run_goes_on_with_other_ranks(name: str, before: int, after: int, runs: Path) -> None:
    expected, found = weights_of(runs / f"{name}-1"), weights_of(runs / f"{name}-{before}-{after}")
    assert expected.keys() == found.keys()
    apart = torch.cat([(found[key].double() - value.double()).flatten() for key, value in expected.items()])
    step = {**FIXED, **SETTINGS[name]}["learning_rate"]
    assert apart.square().mean().sqrt() <= (0.4 if name == "bfloat16" else 1e-2) * step
    assert rows_of(runs / f"{name}-{before}-{after}" / "metrics.jsonl")[-1]["step"] == WHOLE


def test_each_rank_writes_its_part(runs: Path) -> None:
    checkpoint = checkpoints(runs / "all-2-half" / "checkpoints")[-1]
    parts = [load_file(checkpoint / f"optimizer-0000{rank}-of-00002.safetensors") for rank in (1, 2)]
    whole = load_file(checkpoints(runs / "all-1-half" / "checkpoints")[-1] / "optimizer.safetensors")
    assert parts[0].keys() == parts[1].keys() == whole.keys()
    for key, value in whole.items():
        if value.dim():
            assert len(parts[0][key]) == -(-len(value) // 2)
            assert torch.allclose(torch.cat([part[key] for part in parts]), value, atol=1e-5), key


@pytest.mark.parametrize("file", ["optimizer-00002-of-00002.safetensors", "model.safetensors"])
def test_a_part_that_is_missing_or_torn_is_named(file: str, runs: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / checkpoints(runs / "all-2-half" / "checkpoints")[-1].name
    shutil.copytree(checkpoints(runs / "all-2-half" / "checkpoints")[-1], checkpoint)
    assert find_fault(checkpoint) is None
    (checkpoint / file).write_bytes((checkpoint / file).read_bytes()[:-1])
    assert find_fault(checkpoint) == f"{file} is not as it was written"
    (checkpoint / file).unlink()
    assert find_fault(checkpoint) == f"{file} is missing"


def untimed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if not key.startswith(TIMED)}
