"""The model card of a run: what is known of it when its policy is saved, in words."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import torch

from backsight import __version__
from backsight.config import RunConfig
from backsight.policies import adapters
from backsight.policies.text import TextPolicy
from backsight.reports.loading_code import Loading
from backsight.reports.model_card import ModelCard
from backsight.reports.run_folder import RunReader
from backsight.runs.lineage import UNKNOWN, Base, chain_of_bases, find_base
from backsight.runs.start import RunParts
from backsight.tasks.base import Task
from backsight.tasks.files import hub_name
from backsight.training.progress import INTERRUPTED, Progress

DIVERGED = "diverged"
DATA = ("data", "eval_data", "ood_data")
"""Settings that name data."""
SHOWN_DIGITS = 16
"""Number of digits of a checksum that are shown."""


def make_card(parts: RunParts, reader: RunReader, progress: Progress, ending: str) -> ModelCard:
    """Return the card of the policy as it is now; `ending` says why the run is over."""
    config, base = parts.config, find_base(parts.config.policy)
    sources = [source for field in DATA if (source := getattr(config, field)) is not None]
    return ModelCard(
        name=reader.folder.name,
        loading=loading_of(parts.policy),
        preset=config.preset,
        facts={
            "Base": ", made from ".join(chain_of_bases(config.policy)),
            "Licence of the base": _license(base),
            "Data": "; ".join(_data(config, parts.task, progress)),
            "Preset": config.preset,
            "Method": f"hindsight={config.hindsight.label}, algorithm={config.algorithm}",
            "Settings": ", ".join(_settings(config)),
            "Training": _training(config, progress, ending),
            "Cost": _cost(progress, parts.policy),
            "Software": ", ".join(_software(progress)),
        },
        evaluations=reader.evaluations(),
        license=base.license,
        base_model=base.hub_id,
        datasets=list(dict.fromkeys(name for source in sources if (name := hub_name(source)) is not None)),
        tags=list(dict.fromkeys([config.hindsight.label, config.algorithm])),
        notes=_notes(config, reader, progress, ending),
    )


def loading_of(policy: TextPolicy) -> Loading:
    """Return what has to be known of a policy to load it once it is saved."""
    names = getattr(policy.model.config, "id2label", None) if policy.kind == "classifier" else None
    return Loading(
        kind=policy.kind,
        is_adapter=adapters.has_adapter(policy.model),
        has_chat_template=policy.kind == "causal_lm" and policy.tokenizer.chat_template is not None,
        labels=[str(names[index]) for index in sorted(names)] if names else (),
    )


def _license(base: Base) -> str:
    return f"{UNKNOWN}: ask the authors of the base" if base.license == UNKNOWN else base.license


def _saved_step(config: RunConfig, progress: Progress) -> int:
    """Return the step whose policy is saved: the last one, or the best one if the run keeps that."""
    return progress.best_step if config.keep_best and progress.best_score is not None else progress.step


def _training(config: RunConfig, progress: Progress, ending: str) -> str:
    saved = _saved_step(config, progress)
    chosen = "" if saved == progress.step else f"; this is the policy of step {saved}, the best on the dev split"
    return f"step {progress.step}; {ending}{chosen}"


def _notes(config: RunConfig, reader: RunReader, progress: Progress, ending: str) -> list[str]:
    """Return what a reader of the card has to know first."""
    told = []
    if ending == INTERRUPTED:
        told.append(f"The run was interrupted after step {progress.step}: it is not finished.")
    if ending.startswith(DIVERGED):
        told.append("The training diverged. This is the last policy whose numbers were all finite.")
    if all(row["step"] != _saved_step(config, progress) for row in reader.evaluations()):
        told.append("It has not been scored since its training ended.")
    return told


def _data(config: RunConfig, task: Task, progress: Progress) -> Iterator[str]:
    """Yield where the rows came from, by name only, and how many there are."""
    for field in DATA:
        if (source := getattr(config, field)) is not None:
            checksum = progress.origin.get(f"{field} {source}", "")[:SHOWN_DIGITS]
            name = source if hub_name(source) is not None else Path(source).name
            yield f"{field} {name}{f' (checksum {checksum})' if checksum else ''}"
    if config.data is None:
        yield f"made by the task {task.name}"
    for split in dict.fromkeys((task.train_split, *task.eval_splits)):
        items = task.items(split)
        if isinstance(items, list | tuple):  # others are made on demand
            yield f"{split}: {len(items):,} items"


def _settings(config: RunConfig) -> Iterator[str]:
    for name in ("learning_rate", "prompts_per_step", "num_generations", "temperature", "max_completion_length"):
        yield f"{name}={getattr(config, name)}"
    yield f"beta={config.beta}"
    if config.adapter is not None:
        yield f"adapter={config.adapter.name} (r={config.adapter.r}, lora_alpha={config.adapter.lora_alpha})"
    yield f"seed={config.seed}"


def _cost(progress: Progress, policy: TextPolicy) -> str:
    device = policy.model.device
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    machine = f"{os.cpu_count()} cores, {platform.machine()}{gpu}"
    return (
        f"{progress.attempts:,} attempts, {progress.tokens:,} tokens, {progress.seconds:,.0f} s of training ({machine})"
    )


def _software(progress: Progress) -> Iterator[str]:
    yield f"backsight {__version__}"
    for name in ("torch", "transformers", "peft"):
        if (version := progress.origin.get(f"version of {name}")) is not None:
            yield f"{name} {version}"
