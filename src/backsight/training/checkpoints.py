"""Checkpoints: everything a run needs to go on to the same bits, which is weights, optimizer and progress.

Random draws are derived from the seed and the step (`backsight.seeds`), so that no generator state has to be kept, and
the position in the data is the step. A checkpoint is written beside its place and put there when it is whole. The file
that is written last, the progress, holds the checksums of all: damage that comes later is noticed before anything is
loaded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from backsight.disk import clean, disk_errors, place_of_draft, remove_folder, whole_folder
from backsight.distributed.ranks import ALONE, Ranks
from backsight.distributed.weights import Weights
from backsight.errors import RunFolderError
from backsight.policies.base import Policy, trained_weights
from backsight.policies.memory import load_tensors
from backsight.training.progress import Progress

OPTIMIZER_FILE = "optimizer.safetensors"
PROGRESS_FILE = "progress.json"
"""Name of the file that is written last, with the progress and the checksums of all files."""
METHOD_FILE = "hindsight.safetensors"
"""Name of the file with what the hindsight method and the critic have learnt."""
MASTER = "master"
REMEDY = "make room and resume the run: it goes on from the checkpoint before"
CHECKSUMS, OWN_CHECKSUM = "checksums", "checksum"


def save_checkpoint(
    folder: Path,
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    keep: int,
    companions: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
    learnt: Mapping[str, torch.Tensor] | None = None,
    ranks: Ranks = ALONE,
) -> Path:
    """Write `folder/step-NNNNNN` and delete all but the newest `keep` checkpoints.

    `companions` are the trained weights of other policies of the run by name, each in a file of its own: the policy
    that attempts are sampled with, the reference, the teacher. `learnt` is what the hindsight method and the critic
    have learnt. Of several ranks, each writes what its part of the optimizer holds, and the first one all else: they
    need a disk in common.

    Raises:
        RunFolderError: when the disk fails. The checkpoints that are there stay as they are.
    """
    target, own = folder / _name(progress.step), _optimizer_tensors(optimizer, policy.module)
    if not ranks.is_first:
        ranks.wait()  # until the folder is there
        with disk_errors(target, REMEDY):
            save_file(own, place_of_draft(target) / _part_name(ranks))
        ranks.wait()
        return target
    clean(folder)
    with whole_folder(target, REMEDY) as partial:
        ranks.wait()
        policy.save(partial)
        for name, companion in (companions or {}).items():
            weights = {key: weight.detach().contiguous() for key, weight in companion.items()}
            save_file(weights, partial / f"{name}.safetensors")
        if learnt:
            save_file({name: value.contiguous() for name, value in learnt.items()}, partial / METHOD_FILE)
        save_file(own, partial / _part_name(ranks))
        ranks.wait()  # until all parts are there
        _write_progress(partial, progress)
    keep_newest(target, keep)
    for later in checkpoints(folder):
        if later.name > target.name:  # it was damaged, or the run would have gone on from there
            remove_folder(later)
    return target


def keep_newest(checkpoint: Path, keep: int) -> None:
    """Delete all checkpoints up to this one but the newest `keep`."""
    past = [each for each in checkpoints(checkpoint.parent) if each.name <= checkpoint.name]
    for outdated in past[:-keep]:
        remove_folder(outdated)


def _write_progress(folder: Path, progress: Progress) -> None:
    files = {path.relative_to(folder).as_posix(): _digest(path) for path in folder.rglob("*") if path.is_file()}
    contents = {**asdict(progress), CHECKSUMS: dict(sorted(files.items()))}
    contents[OWN_CHECKSUM] = _digest_of(contents)
    (folder / PROGRESS_FILE).write_text(json.dumps(contents) + "\n", encoding="utf-8")


def _name(step: int) -> str:
    return f"step-{step:06d}"


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, oldest first, damaged ones as well."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir() and re.fullmatch(r"step-\d{6,}", path.name))


def newest_checkpoint(folder: Path) -> Path:
    """Return the newest whole checkpoint in a folder.

    Raises:
        RunFolderError: when there is none.
    """
    found, damaged = find_checkpoint(folder)
    if found is None and damaged:
        raise RunFolderError("resume", folder.parent, f"{damaged[0]}; delete it, and the run starts anew")
    if found is None:
        raise RunFolderError("resume", folder.parent, "has no checkpoint to go on from; start it anew")
    return found


def find_checkpoint(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the newest whole checkpoint, None if there is none, and what is wrong with each newer one.

    Nothing else in the folder is taken for a checkpoint, such as a copy that a file manager made.
    """
    damaged: list[str] = []
    for checkpoint in reversed(checkpoints(folder)):
        fault = find_fault(checkpoint)
        if fault is None:
            return checkpoint, damaged
        damaged.append(f"checkpoint {checkpoint.name} is damaged: {fault}")
    return None, damaged


def find_fault(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint, in words; None when it is whole."""
    try:
        written = (checkpoint / PROGRESS_FILE).read_text(encoding="utf-8")
        contents = json.loads(written)
        if isinstance(contents, dict) and OWN_CHECKSUM not in contents:
            return f"{PROGRESS_FILE} has no checksum, as if an earlier version of backsight had written it"
        is_as_written = written == json.dumps(contents) + "\n"
        own = contents.pop(OWN_CHECKSUM)
        files = dict(contents[CHECKSUMS])
    except FileNotFoundError:
        return f"{PROGRESS_FILE} is missing, which is written last"
    except OSError as error:
        return f"{PROGRESS_FILE} cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{PROGRESS_FILE} is not as it was written"
    if not is_as_written or own != _digest_of(contents) or checkpoint.name != _name(contents["step"]):
        return f"{PROGRESS_FILE} is not as it was written"
    for name, digest in files.items():
        try:
            found = _digest(checkpoint / name)
        except FileNotFoundError:
            return f"{name} is missing"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != digest:
            return f"{name} is not as it was written"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(contents: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def load_progress(checkpoint: Path) -> Progress:
    """Load the progress at a checkpoint, no longer marked as interrupted.

    Raises:
        RunFolderError: when it was written by another version of backsight.
    """
    contents = json.loads((checkpoint / PROGRESS_FILE).read_text(encoding="utf-8"))
    fields = {name: value for name, value in contents.items() if name not in (CHECKSUMS, OWN_CHECKSUM)}
    try:
        progress = Progress(**fields)
    except TypeError as error:
        remedy = f"is of another version of backsight ({error}); go on with that version"
        raise RunFolderError("checkpoint", checkpoint, remedy) from error
    progress.is_interrupted = False
    return progress


def load_companion(checkpoint: Path, name: str) -> dict[str, torch.Tensor]:
    """Load the trained weights of another policy of the run."""
    return load_tensors(checkpoint / f"{name}.safetensors")


def load_learnt(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Load what the hindsight method and the critic had learnt; nothing when the checkpoint holds none of it."""
    path = checkpoint / METHOD_FILE
    return load_tensors(path) if path.exists() else {}


@torch.no_grad()
def load_optimizer(checkpoint: Path, optimizer: torch.optim.Optimizer, weights: Weights) -> None:
    """Put the saved state into a fresh optimizer of the same weights, and the master weights into its masters.

    The ranks that go on may be more or fewer than those that saved it.
    """
    tensors = _read_rows(checkpoint, weights)
    for name, _, parameter in _parameters(optimizer, weights.module):
        prefix = name + "|"
        state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if (master := state.pop(MASTER, None)) is not None:
            parameter.copy_(master)
        if state:
            optimizer.state[parameter] = state
    weights.follow([each for group in optimizer.param_groups for each in group["params"]])


def _part_name(ranks: Ranks) -> str:
    """Return the name of the file with the optimizer's part of a rank; of all of it, when there is one rank."""
    stem, ending = OPTIMIZER_FILE.split(".")
    return OPTIMIZER_FILE if ranks.size == 1 else f"{stem}-{ranks.rank + 1:05d}-of-{ranks.size:05d}.{ending}"


def _read_rows(checkpoint: Path, weights: Weights) -> dict[str, torch.Tensor]:
    """Read the rows that lie here of the optimizer's tensors, whose rows lie in the files one after another."""
    pattern = OPTIMIZER_FILE.replace(".", "*.")
    with ExitStack() as opened:
        parts = [opened.enter_context(safe_open(path, "pt")) for path in sorted(checkpoint.glob(pattern))]
        names: list[str] = parts[0].keys()  # it is no dictionary, and has no other way to say them
        return {name: _rows_of([part.get_slice(name) for part in parts], weights) for name in names}


def _rows_of(slices: Sequence[Any], weights: Weights) -> torch.Tensor:
    """Put together the rows of a tensor that lie here; what has no rows, such as a count of steps, is in each file."""
    shapes = [each.get_shape() for each in slices]
    if not shapes[0]:
        number: torch.Tensor = slices[0][...].clone()
        return number
    wanted, first = weights.rows(sum(shape[0] for shape in shapes)), 0
    found: list[torch.Tensor] = []
    for part, shape in zip(slices, shapes, strict=True):
        start, stop = (min(max(0, edge - first), shape[0]) for edge in (wanted.start, wanted.stop))
        if start < stop or not found:
            found.append(part[start:stop])
        first += shape[0]
    return torch.cat(found)  # which copies: see `backsight.policies.memory`


def _optimizer_tensors(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, weight, parameter in _parameters(optimizer, module):
        tensors |= {f"{name}|{key}": value.contiguous() for key, value in optimizer.state[parameter].items()}
        if parameter.dtype != weight.dtype:
            tensors[f"{name}|{MASTER}"] = parameter.detach()
    return tensors


def _parameters(
    optimizer: torch.optim.Optimizer, module: nn.Module
) -> Iterator[tuple[str, torch.nn.Parameter, torch.nn.Parameter]]:
    """Yield the name of each trained weight, the weight, and what the optimizer holds: the weight or its master."""
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for (name, weight), parameter in zip(trained_weights(module).items(), optimized, strict=True):
        yield name, weight, parameter
