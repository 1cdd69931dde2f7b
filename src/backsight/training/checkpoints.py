"""Checkpoints: everything a run needs to go on to the same bits, which is weights, optimizer and progress.

Random draws are derived from the seed and the step (`backsight.seeds`), so that no generator state has to be kept, and
the position in the data is the step. A checkpoint is written to a temporary folder and renamed, so that it is whole or
not there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from backsight.errors import RunFolderError
from backsight.policies.base import Policy, trained_weights
from backsight.training.progress import Progress

OPTIMIZER_FILE = "optimizer.safetensors"
PROGRESS_FILE = "progress.json"
METHOD_FILE = "hindsight.safetensors"
"""Name of the file with what the hindsight method and the critic have learnt."""
MASTER = "master"


def save_checkpoint(
    folder: Path,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    keep: int,
    companions: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
    learnt: Mapping[str, torch.Tensor] | None = None,
) -> Path:
    """Write `folder/step-NNNNNN` and delete all but the newest `keep` checkpoints.

    `companions` are the trained weights of other policies of the run by name, each in a file of its own: the policy
    that attempts are sampled with, the reference, the teacher. `learnt` is what the hindsight method and the critic
    have learnt.
    """
    target = folder / f"step-{progress.step:06d}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    policy.save(partial)
    for name, companion in (companions or {}).items():
        weights = {key: weight.detach().contiguous() for key, weight in companion.items()}
        save_file(weights, partial / f"{name}.safetensors")
    if learnt:
        save_file({name: value.contiguous() for name, value in learnt.items()}, partial / METHOD_FILE)
    save_file(_optimizer_tensors(optimizer, policy.module), partial / OPTIMIZER_FILE)
    (partial / PROGRESS_FILE).write_text(json.dumps(asdict(progress)) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for outdated in checkpoints(folder)[:-keep]:
        shutil.rmtree(outdated)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def newest_checkpoint(folder: Path) -> Path:
    """Return the newest checkpoint in a folder.

    Raises:
        RunFolderError: when there is none.
    """
    found = checkpoints(folder)
    if not found:
        raise RunFolderError("resume", folder.parent, "has no checkpoint to go on from; start it anew")
    return found[-1]


def load_progress(checkpoint: Path) -> Progress:
    """Load the progress at a checkpoint, no longer marked as interrupted."""
    progress = Progress(**json.loads((checkpoint / PROGRESS_FILE).read_text()))
    progress.is_interrupted = False
    return progress


def load_companion(checkpoint: Path, name: str) -> dict[str, torch.Tensor]:
    """Load the trained weights of another policy of the run."""
    return load_file(checkpoint / f"{name}.safetensors")


def load_learnt(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Load what the hindsight method and the critic had learnt; nothing when the checkpoint holds none of it."""
    path = checkpoint / METHOD_FILE
    return load_file(path) if path.exists() else {}


@torch.no_grad()
def load_optimizer(checkpoint: Path, optimizer: torch.optim.Optimizer, module: nn.Module) -> None:
    """Put the saved state into a fresh optimizer of the same module, and the master weights into its masters."""
    tensors = load_file(checkpoint / OPTIMIZER_FILE)
    for name, weight, parameter in _parameters(optimizer, module):
        prefix = name + "|"
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if (master := state.pop(MASTER, None)) is not None:
            parameter.copy_(master)
            weight.copy_(master)
        if state:
            optimizer.state[parameter] = state


def _optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, weight, parameter in _parameters(optimizer, module):
        tensors |= {f"{name}|{key}": value.contiguous() for key, value in optimizer.state[parameter].items()}
        if parameter is not weight:
            tensors[f"{name}|{MASTER}"] = parameter.detach()
    return tensors


def _parameters(
    optimizer: torch.optim.Optimizer, module: nn.Module
) -> Iterator[tuple[str, torch.nn.Parameter, torch.nn.Parameter]]:
    """Yield the name of each trained weight, the weight, and what the optimizer holds: the weight or its master."""
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for (name, weight), parameter in zip(trained_weights(module).items(), optimized, strict=True):
        yield name, weight, parameter
