"""The policy of a run as a model folder of its own, with the adapter in its weights if that is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from backsight.config import read_config
from backsight.disk import whole_folder
from backsight.errors import ConfigError, ModelError, RunFolderError
from backsight.policies import adapters
from backsight.policies.folder import CONFIG, check_no_pipes, read_object
from backsight.policies.opening import load_config
from backsight.policies.text import TextPolicy
from backsight.presets.base import make_task
from backsight.reports.model_card import CARD, with_loading
from backsight.reports.run_folder import CONFIG as RUN_CONFIG
from backsight.reports.run_folder import POLICY, RunReader
from backsight.runs.card import loading_of
from backsight.runs.start import load_policy
from backsight.training.checkpoints import PROGRESS_FILE

EXPORTS = "exports"
"""Folder in which an export lies that is given no place."""
MODEL_FILES = (".json", ".safetensors", ".model", ".tiktoken", ".txt", ".jinja", ".md", ".py")
"""Ends of the names of files that belong to a model. Others, such as rows of data, stay where they are."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Dtype = Literal["float32", "bfloat16"]
ROOM = "nothing is left of it; make room, or choose another place"


@dataclass(frozen=True, slots=True)
class Source:
    """A policy that is to be taken elsewhere."""

    folder: Path
    """The folder with its model or adapter."""
    run: RunReader | None
    """The run that it comes from; None for a model folder."""

    @property
    def name(self) -> str:
        return (self.folder if self.run is None else self.run.folder).resolve().name

    @property
    def is_adapter(self) -> bool:
        return adapters.base_of(str(self.folder)) != str(self.folder)

    @property
    def files(self) -> list[str]:
        """Names of the files of the model, those in folders with their folder."""
        return [name for name in self._names() if Path(name).suffix in MODEL_FILES or Path(name).stem == "LICENSE"]

    @property
    def left_out(self) -> list[str]:
        """Names of other files, which do not belong to a model."""
        return sorted(set(self._names()) - set(self.files))

    def _names(self) -> list[str]:
        """Return the names of all files but hidden ones.

        Raises:
            ModelError: when a link leads out of the folder.
        """
        found = {path.relative_to(self.folder): path for path in self.folder.rglob("*") if path.is_file()}
        for path in found.values():
            if not path.resolve().is_relative_to(self.folder.resolve()):
                raise ModelError("policy", path, "leads out of the folder; put a copy of the file in its place")
        return sorted(name.as_posix() for name in found if not any(part.startswith(".") for part in name.parts))


def find_source(path: str) -> Source:
    """Return the policy of a run folder, or that of a model folder.

    Raises:
        RunFolderError: when there is no such folder, the run has saved no policy yet, or it is a checkpoint.
        ModelError: when a pipe or a device lies in it.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise RunFolderError("run", path, "there is no such folder; name a run folder, or a model folder")
    is_run = (folder / RUN_CONFIG).is_file()
    run = RunReader(folder) if is_run else None
    source = Source(folder if run is None else run.policy, run)
    if run is not None and not run.policy.is_dir():
        remedy = f"has no {POLICY}/ yet: it is saved when the run ends; go on with `backsight train --resume {path}`"
        raise RunFolderError("run", path, remedy)
    check_no_pipes(source.folder)
    if (source.folder / PROGRESS_FILE).is_file():
        raise RunFolderError("run", path, "is a checkpoint, with the state of the training; name the run folder")
    if not any((source.folder / name).is_file() for name in (CONFIG, adapters.CONFIG_FILE)):
        remedy = f"is neither a run folder ({RUN_CONFIG}) nor a model folder ({CONFIG}, {adapters.CONFIG_FILE})"
        raise RunFolderError("run", path, remedy)
    return source


def export(path: str, to: Path | None = None, *, merge: bool = False, dtype: Dtype | None = None) -> Path:
    """Write the policy at `path`, a run folder or a model folder, to a new folder, `to`, and return the folder.

    Without `merge` its files are copied as they are. With it, an adapter becomes a part of its model's weights, which
    are written as `dtype` (float32 if there is an adapter, else as they are).

    Raises:
        RunFolderError: when there is no policy at `path`, or the disk fails.
        ConfigError: when there is something at `to`, or `dtype` is given without `merge`.
        ModelError: when the policy does not load, or the weights of its model cannot take up the adapter.
    """
    source = find_source(path)
    target = Path(EXPORTS) / source.name if to is None else to
    if dtype is not None and not merge:
        raise ConfigError("dtype", dtype, "files are copied as they are; add --merge, or leave it out")
    if target.exists() or target.is_symlink():
        raise ConfigError("to", target, "exists and is left as it is; name another folder, or move it away")
    if target.resolve().is_relative_to(source.folder.resolve()):
        raise ConfigError("to", target, "lies in the folder that is exported; name another folder")
    policy = open_whole(source, dtype) if merge and (source.is_adapter or dtype is not None) else None
    with whole_folder(target, ROOM) as place:
        if policy is None:
            copy(source, place)
        else:
            save_whole(source, policy, place)
    return target


def copy(source: Source, place: Path) -> None:
    """Copy the files of a policy into a folder."""
    for name in source.files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.folder / name, place / name)


def open_whole(source: Source, dtype: Dtype | None = None) -> TextPolicy:
    """Open a policy, with its adapter in the weights of its model.

    Raises:
        ModelError: when it does not load, or the weights of its model cannot take up the adapter.
    """
    code = source.run is not None and read_config(source.run.config).trust_remote_code
    base = adapters.base_of(str(source.folder))
    if getattr(load_config(base, code), "quantization_config", None) is not None:
        remedy = f"is quantized and takes up no adapter; set {adapters.BASE} in {adapters.CONFIG_FILE} to whole weights"
        raise ModelError("merge", base, remedy)
    policy = load_policy(str(source.folder), labels=_labels(source), trust_remote_code=code)
    if adapters.has_adapter(policy.model):
        adapters.check_merges(policy.model)
        adapters.merge(policy.model)
    policy.module.to(DTYPES[dtype or "float32"])
    return policy


def save_whole(source: Source, policy: TextPolicy, place: Path) -> None:
    """Save a policy without an adapter, with the card of the one that it was made from."""
    policy.save(place)
    card = source.folder / CARD
    if card.is_file():
        text = with_loading(card.read_text(encoding="utf-8", errors="replace"), loading_of(policy))
        (place / CARD).write_text(text, encoding="utf-8")


def _labels(source: Source) -> Sequence[str]:
    """Return the labels of a classifier; none of a language model.

    Raises:
        ModelError: when nobody knows them.
    """
    if not source.is_adapter:
        fields = read_object(source.folder / CONFIG)
        is_classifier = str((fields.get("architectures") or [""])[0]).endswith("ForSequenceClassification")
        return [str(name) for name in fields.get("id2label", {}).values()] if is_classifier else ()
    if read_object(source.folder / adapters.CONFIG_FILE).get("task_type") != "SEQ_CLS":
        return ()
    if source.run is None:
        raise ModelError("merge", source.folder, "its labels are known to its run alone; name the run folder")
    return make_task(read_config(source.run.config)).labels
