"""What a run is made of, as checksums: its settings, data, model and code. A run that goes on says what has changed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import backsight
from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.policies import adapters
from backsight.runs.start import place_of_policy
from backsight.tasks.base import Task
from backsight.tasks.recorded import RecordedTask
from backsight.tasks.rows import FileTask
from backsight.tasks.tables import Source, read_source

SETTINGS = "settings"
MAY_CHANGE = {"stop", "output_dir", "run_name"}
LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "numpy", "gymnasium")


def find_origin(config: RunConfig, task: Task) -> dict[str, str]:
    """Return the settings as JSON, and the checksums of data, model and code, by a name for the user."""
    origin = {SETTINGS: json.dumps(config.model_dump(mode="json", exclude=MAY_CHANGE), sort_keys=True)}
    for field in ("data", "eval_data", "ood_data"):
        if (path := getattr(config, field)) is not None and Path(path).exists():
            origin[f"{field} {path}"] = _digest_files([Path(path)])
    if config.data is None and isinstance(task, FileTask | RecordedTask):  # it was given in Python
        origin |= {f"rows of {split}": _digest_source(source) for split, source in task.sources.items()}
    place = Path(place_of_policy(config.policy))
    if place.exists():
        origin[f"model {config.policy}"] = _digest_files({place, Path(adapters.base_of(str(place)))})
    origin["code of backsight"] = _digest_files([Path(backsight.__file__).parent], "*.py")
    if (file := getattr(sys.modules.get(type(task).__module__), "__file__", None)) is not None:
        origin["code of the task"] = _digest_files([Path(file)])
    versions = {name: found for name in LIBRARIES if (found := _version(name)) is not None}
    return (
        origin
        | {"version of Python": platform.python_version()}
        | {f"version of {name}": versions[name] for name in versions}
        | {"number of threads": str(torch.get_num_threads())}  # products round by it
    )


def find_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what is not as it was.

    Raises:
        ConfigError: when a setting is not as it was: `config.yaml` was edited.
    """
    if SETTINGS in before:
        _check_settings(json.loads(before[SETTINGS]), json.loads(now[SETTINGS]))
    return sorted(name for name in before.keys() | now.keys() if name != SETTINGS and before.get(name) != now.get(name))


def _check_settings(before: Mapping[str, object], now: Mapping[str, object]) -> None:
    for key in sorted(before.keys() & now.keys()):
        if before[key] != now[key]:
            remedy = f"was {str(before[key])[:80]} until now, and only stop.* may change; put it back in config.yaml"
            raise ConfigError(key, now[key], remedy)


def _digest_files(places: Iterable[Path], pattern: str = "*") -> str:
    """Return a checksum of the names and contents of files, and of those in folders that match the pattern."""
    whole = hashlib.sha256()
    for place in sorted(places):
        files = sorted(path for path in place.rglob(pattern) if path.is_file()) if place.is_dir() else [place]
        for path in files:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(place)} {digest}\n".encode())
    return whole.hexdigest()


def _digest_source(source: Source) -> str:
    """Return a checksum of the rows of a source: of those in a file by its bytes, of those at hand by what they hold.

    Rows of the Hub have the name that they are known by.
    """
    if isinstance(source, str | os.PathLike):
        return _digest_files([Path(source)]) if Path(source).exists() else os.fspath(source)
    whole = hashlib.sha256()
    for row in read_source(source):
        whole.update(f"{json.dumps(row, sort_keys=True, default=repr)}\n".encode())
    return whole.hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
