"""Everything a run needs to go on to the same bits: weights, optimiser and progress.

Random draws are derived from the seed and the step (`backsight.seeds`), so no generator state has to be kept, and
the position in the data is the step. Written to a temporary folder and renamed: a checkpoint is whole or not there.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from backsight.errors import RunFolderError
from backsight.policies.base import Policy
from backsight.training.progress import Progress

OPTIMIZER_FILE = "optimizer.safetensors"
PROGRESS_FILE = "progress.json"


def save_checkpoint(
    folder: Path, policy: Policy, optimizer: torch.optim.Optimizer, progress: Progress, keep: int
) -> Path:
    """Write `folder/step-NNNNNN` and delete all but the newest `keep` checkpoints."""
    target = folder / f"step-{progress.step:06d}"
    partial = folder / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    policy.save(partial)
    save_file(_optimizer_tensors(optimizer, policy.module), partial / OPTIMIZER_FILE)
    (partial / PROGRESS_FILE).write_text(json.dumps(asdict(progress)) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    for outdated in checkpoints(folder)[:-keep]:
        shutil.rmtree(outdated)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Those that are whole, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def newest_checkpoint(folder: Path) -> Path:
    """Raises `RunFolderError` when there is none."""
    found = checkpoints(folder)
    if not found:
        raise RunFolderError("resume", folder.parent, "has no checkpoint to go on from; start it anew")
    return found[-1]


def load_progress(checkpoint: Path) -> Progress:
    """The counts at the checkpoint; an interruption is over by now."""
    progress = Progress(**json.loads((checkpoint / PROGRESS_FILE).read_text()))
    progress.is_interrupted = False
    return progress


def load_optimizer(checkpoint: Path, optimizer: torch.optim.Optimizer, module: nn.Module) -> None:
    """Put the saved state into a fresh optimizer of the same module."""
    tensors = load_file(checkpoint / OPTIMIZER_FILE)
    names = _parameter_names(module)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            prefix = names[parameter] + "|"
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            if state:
                optimizer.state[parameter] = state


def _optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, torch.Tensor]:
    names = _parameter_names(module)
    return {
        f"{names[parameter]}|{key}": value.contiguous()
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
    }


def _parameter_names(module: nn.Module) -> dict[torch.Tensor, str]:
    return {parameter: name for name, parameter in module.named_parameters()}
