"""What a run needs to go on: written whole, read back to the bit, and only the newest kept."""

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backsight.distributed.weights import Weights
from backsight.errors import RunFolderError
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy
from backsight.training.checkpoints import (
    checkpoints,
    find_checkpoint,
    load_companion,
    load_learnt,
    load_optimizer,
    load_progress,
    newest_checkpoint,
    save_checkpoint,
)
from backsight.training.config import OptimizerConfig
from backsight.training.progress import Progress
from backsight.training.update import make_optimizer


def policy_of(seed: int = 0) -> ModulePolicy:
    torch.manual_seed(seed)
    return ModulePolicy(nn.Linear(3, 2), CategoricalHead([2]), np.zeros((4, 3), np.float32))


def optimizer_after(policy: ModulePolicy, steps: int, *, bf16: bool = False) -> torch.optim.Optimizer:
    optimizer = make_optimizer(policy.module, OptimizerConfig(learning_rate=0.01, bf16=bf16))
    for _ in range(steps):
        take_step(policy, optimizer)
    return optimizer


def take_step(policy: ModulePolicy, optimizer: torch.optim.Optimizer) -> None:
    weight = next(policy.module.parameters())
    optimizer.zero_grad()
    policy.module(torch.arange(3, dtype=weight.dtype)[None])[:, 0].sum().backward()
    optimizer.step()


def weights(policy: ModulePolicy) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in policy.module.parameters()])


@pytest.mark.parametrize("bf16", [False, True])
def test_the_optimizer_goes_on_where_it_was(bf16: bool, tmp_path: Path) -> None:
    """With the same next step, weights and moments, or masters, are the same to the bit."""
    straight = policy_of()
    optimizer = optimizer_after(straight, 3, bf16=bf16)
    checkpoint = save_checkpoint(tmp_path, straight, optimizer, Progress(step=3), keep=1)
    resumed = policy_of(seed=1)
    resumed.module.load_state_dict(straight.module.float().state_dict())
    if bf16:
        straight.module.to(torch.bfloat16)
    fresh = optimizer_after(resumed, 0, bf16=bf16)
    load_optimizer(checkpoint, fresh, Weights(resumed.module))
    for policy, own in ((straight, optimizer), (resumed, fresh)):
        take_step(policy, own)
    assert torch.equal(weights(straight), weights(resumed))
    for one, other in zip(optimizer.param_groups[0]["params"], fresh.param_groups[0]["params"], strict=True):
        assert torch.equal(one, other)
        assert optimizer.state[one].keys() == fresh.state[other].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(optimizer.state[one][name], fresh.state[other][name]) for name in fresh.state[other])


def save(folder: Path, step: int, keep: int = 2, **more: dict[str, dict[str, torch.Tensor]]) -> Path:
    policy = policy_of()
    return save_checkpoint(folder, policy, optimizer_after(policy, 1), Progress(step=step), keep, **more)  # type: ignore[arg-type]


def test_counts_are_read_back_and_an_interruption_is_over(tmp_path: Path) -> None:
    policy = policy_of()
    progress = Progress(7, 42, 300, 1.5, [0.25, 0.5], [[1.0, 0.5]], is_interrupted=True)
    checkpoint = save_checkpoint(tmp_path, policy, optimizer_after(policy, 1), progress, keep=1)
    assert load_progress(checkpoint) == Progress(7, 42, 300, 1.5, [0.25, 0.5], [[1.0, 0.5]])


def test_a_checkpoint_is_whole_or_not_there(tmp_path: Path) -> None:
    (tmp_path / ".step-000003.partial").mkdir()
    (tmp_path / ".step-000003.partial" / "left over").write_text("of a run that was killed")
    checkpoint = save(tmp_path, 3)
    assert checkpoint == tmp_path / "step-000003" and list(tmp_path.iterdir()) == [checkpoint]
    assert {path.name for path in checkpoint.iterdir()} == {
        "model.safetensors",
        "optimizer.safetensors",
        "progress.json",
    }


def test_the_same_step_is_written_again(tmp_path: Path) -> None:
    (save(tmp_path, 3) / "of before").touch()
    assert not (save(tmp_path, 3) / "of before").exists()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (8, 9, 10, 11):
        save(tmp_path, step)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000010", "step-000011"]
    assert newest_checkpoint(tmp_path).name == "step-000011"


def test_a_folder_without_checkpoint_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no checkpoint"):
        newest_checkpoint(tmp_path / "checkpoints")


def test_after_a_save_only_steps_up_to_it_are_kept(tmp_path: Path) -> None:
    """What is of a later step was damaged, or the run would have gone on from there."""
    for step in (2, 4):
        save(tmp_path, step)
    (tmp_path / "step-000004" / "progress.json").unlink()
    save(tmp_path, 3, keep=1)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000003"]


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "bit":
            place = len(content) // 2
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        case "longer":
            path.write_bytes(content + b"\n")
        case "folder":
            path.unlink()
            path.mkdir()
        case "of another checkpoint":
            path.write_bytes((path.parent.parent / "step-000001" / path.name).read_bytes() + b"\n")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "reference.safetensors", "progress.json"]
)
@pytest.mark.parametrize("how", ["missing", "empty", "cut", "bit", "longer", "folder", "of another checkpoint"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(tmp_path: Path, name: str, how: str) -> None:
    for step in (1, 2):
        save(tmp_path, step, companions={"reference": {"weight": torch.ones(step)}})
    damage(tmp_path / "step-000002" / name, how)
    found, faults = find_checkpoint(tmp_path)
    assert found == newest_checkpoint(tmp_path) == tmp_path / "step-000001"
    (fault,) = faults
    assert fault.startswith("checkpoint step-000002 is damaged: ") and name in fault


def test_when_all_are_damaged_one_is_named(tmp_path: Path) -> None:
    (save(tmp_path, 1) / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        RunFolderError, match="step-000001 is damaged: model.safetensors is not as it was written; delete"
    ):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["step-000002 copy", "step-000002 (1)", ".step-000003.partial", "step-3"])
def test_no_other_folder_is_a_checkpoint(tmp_path: Path, name: str) -> None:
    save(tmp_path, 2)
    (tmp_path / name).mkdir()
    (tmp_path / "step-000009").touch()
    assert [path.name for path in checkpoints(tmp_path)] == ["step-000002"]


@pytest.mark.parametrize("contents", ["[]", "null", "3", "{}", '{"checksum": 1, "checksums": 2}', "\\ud800"])
def test_any_progress_file_is_read_safely(tmp_path: Path, contents: str) -> None:
    (save(tmp_path, 1) / "progress.json").write_text(contents)
    assert find_checkpoint(tmp_path)[0] is None


def test_progress_of_another_version_is_said(tmp_path: Path) -> None:
    path = save(tmp_path, 1) / "progress.json"
    path.write_text(path.read_text().replace('"attempts"', '"tries"'))
    with pytest.raises(RunFolderError, match="another version of backsight"):
        load_progress(path.parent)


def test_files_can_be_read_by_whom_other_files_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    rights = {path.stat().st_mode for path in [tmp_path / "usual", *save(tmp_path, 1).iterdir()]}
    assert len(rights) == 1


def test_a_disk_that_fails_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    save(tmp_path, 1)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, usual[1]))
    try:
        with pytest.raises(RunFolderError, match="step-000002: cannot be written .*; make room and resume the run"):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000001"]
    assert find_checkpoint(tmp_path) == (tmp_path / "step-000001", [])


def test_companions_are_set_in_place(tmp_path: Path) -> None:
    saved = {"weight": torch.tensor([[1.0, 2.0]]).T, "bias": torch.tensor([3.0])}
    checkpoint = save(tmp_path, 1, companions={"reference": saved})
    found = load_companion(checkpoint, "reference")
    assert found.keys() == saved.keys() and all(torch.equal(found[name], saved[name]) for name in saved)


def test_what_was_learnt_is_read_back(tmp_path: Path) -> None:
    learnt = {"critic.head": torch.tensor([1.0, 2.0]), "hindsight.model": torch.tensor([3])}
    checkpoint = save(tmp_path, 1, learnt=learnt)  # type: ignore[arg-type]
    found = load_learnt(checkpoint)
    assert found.keys() == learnt.keys() and all(torch.equal(found[name], learnt[name]) for name in learnt)
    assert load_learnt(save(tmp_path, 2)) == {}
