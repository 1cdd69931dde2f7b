"""The folder of a comparison: made, gone on with, or left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from toy_tasks import GoalString

from backsight.comparison.folder import checkpoint_in, open_folder, read_json, save_json
from backsight.comparison.request import Request, make_request
from backsight.config import RunConfig
from backsight.errors import RunFolderError
from backsight.hindsight.options import OutcomeOptions
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy
from backsight.training.checkpoints import save_checkpoint
from backsight.training.config import StopConfig
from backsight.training.progress import Progress


def asked(folder: Path, methods: list[Any] | None = None, seeds: int = 2, **settings: Any) -> Request:
    fields: dict[str, Any] = {"output_dir": str(folder), "run_name": "mine", "stop": StopConfig(max_attempts=8)}
    config = RunConfig(preset="toy: 1", policy="toy", hindsight=OutcomeOptions(), **{**fields, **settings})
    return make_request(config, lambda config: GoalString(1), methods or ["outcome", "relabel"], seeds)


def test_a_new_folder_says_what_was_asked_for(tmp_path: Path) -> None:
    request = asked(tmp_path / "comparisons")
    folder = open_folder(request)
    assert folder == tmp_path / "comparisons" / "mine" and (folder / "runs").is_dir()
    assert yaml.safe_load((folder / "config.yaml").read_text()) == request.as_dict()


def test_without_a_name_it_has_that_of_the_preset_numbered(tmp_path: Path) -> None:
    names = [open_folder(asked(tmp_path, run_name=None)).name for _ in range(3)]
    assert names == ["toy-1", "toy-1-2", "toy-1-3"]


def test_the_same_request_finds_its_folder_wherever_it_was_moved(tmp_path: Path) -> None:
    folder = open_folder(asked(tmp_path / "here"))
    (folder / "before.json").write_text("{}")
    folder.parent.rename(tmp_path / "there")
    again = open_folder(asked(tmp_path / "there"))
    assert (again / "before.json").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seeds": 3}, "holds another comparison, with seeds=2; ask for that"),
        ({"methods": ["outcome"]}, "with methods=outcome,relabel; ask for that"),
        ({"stop": StopConfig(max_attempts=16)}, r"with stop={'max_attempts': 8}; ask for that"),
        ({"learning_rate": 0.5}, "with learning_rate=1e-05; ask for that"),
    ],
)
def test_another_comparison_is_left_alone(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    open_folder(asked(tmp_path))
    with pytest.raises(RunFolderError, match=f"^name: .*mine: .*{complaint}"):
        open_folder(asked(tmp_path, **change))


@pytest.mark.parametrize(
    "content", [None, "preset: toy\n", "[1, 2", "methods: 1\nseeds: 1\ngeneral_text: 1\nsettings: 1"]
)
def test_the_folder_of_something_else_is_left_alone(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "mine").mkdir()
    if content is not None:
        (tmp_path / "mine" / "config.yaml").write_text(content)
    with pytest.raises(RunFolderError, match="mine: holds no comparison; choose another name"):
        open_folder(asked(tmp_path))


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be made .*; choose another output_dir"):
        open_folder(asked(tmp_path / "file"))


def test_a_run_goes_on_from_its_newest_checkpoint_or_is_cleared_away(tmp_path: Path) -> None:
    assert checkpoint_in(tmp_path / "none") is None
    run = tmp_path / "outcome-0"
    run.mkdir()
    policy = ModulePolicy(nn.Linear(3, 2), CategoricalHead([2]), np.zeros((4, 3), np.float32))
    for step in (2, 10):
        save_checkpoint(run / "checkpoints", policy, torch.optim.SGD(policy.module.parameters()), Progress(step), 2)
    (run / "checkpoints" / "step-000011").mkdir()  # damaged
    (run / "config.yaml").write_text("preset: toy\n")
    assert checkpoint_in(run) == run / "checkpoints" / "step-000010"
    other = tmp_path / "relabel-0"
    other.mkdir()
    (other / "config.yaml").write_text("preset: toy\n")
    assert checkpoint_in(other) is None and not other.exists()


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    assert read_json(path) is None
    save_json(path, {"test": {"reward": [1.0, None]}})
    assert read_json(path) == {"test": {"reward": [1.0, None]}}
    assert [each.name for each in tmp_path.iterdir()] == ["before.json"]
