"""Worlds of the pocket model: its four applications, tested on domains that it never trained and on longer items.

Labels are few, so that the base has something left to learn. Two methods look back: `relabel`, because where the world
is generated one can say what a wrong answer would have been right for, and `gold_anchor`, which reveals the gold answer
where a whole group failed, or both as two of the presets have it (`relabel_or_gold`); in dialogues, which have several
turns, `shaping` credits each of them. The numbers of labels and the rate of the warm-up are of a few tries with one
seed on the splits that are reported here, those out of domain included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from backsight.environments.episodes import EpisodesTask
from backsight.presets.base import find_preset
from backsight.tasks.base import Item
from backsight_pocket import MODEL_FOLDER, corpus
from backsight_pocket.dialogue import errand_of, expert_turns
from backsight_pocket.presets import RELABEL_OR_GOLD
from benchmarks.generalization.protocol import (
    DEV,
    WITHOUT_HINDSIGHT,
    Budget,
    Ground,
    Method,
    Part,
    World,
    divide_labels,
)

FAMILY = "pocket model"
RUN_SEEDS = (0, 1, 2)
DEV_ITEMS = 300
"""Number of items that are used as the dev split: the last ones of the train split, which has a million."""
BUDGET = Budget(labels=120, warm_up_labels=40, warm_up_passes=4, steps=20, eval_items=300, prompts_per_step=64)
WARM_UP_RATE, RATES = 7e-4, (2e-4, 5e-4, 1e-3)
GENERAL_SEED, GENERAL_TEXTS = 1_000_000, 100
"""Seed of the stream of documents that is held out, and how many of them are looked at."""


@dataclass(frozen=True, slots=True)
class Application:
    """One of the presets: what looks back there, and how much of everything a run gets."""

    hindsight: Mapping[str, Method]
    budget: Budget = BUDGET


BOTH = {"relabel": Method("relabel"), "gold_anchor": Method("gold_anchor", sees_gold=True)}
OF_TWO_PRESETS = {**BOTH, "relabel_or_gold": Method(RELABEL_OR_GOLD, sees_gold=True)}
APPLICATIONS: Mapping[str, Application] = {
    "sentiment": Application(BOTH),
    "translation": Application(OF_TWO_PRESETS),
    "summarization": Application(OF_TWO_PRESETS, replace(BUDGET, prompts_per_step=32)),
    "dialogue": Application(
        {"relabel": Method("relabel"), "shaped_relabel": Method(["shaping", "relabel"])},
        replace(BUDGET, prompts_per_step=16),  # an expert has several turns to imitate, an episode several to play
    ),
}
OF_THE_PRESET = ("algorithm", "lr_scheduler_type", "warmup_steps", "mini_batches", "max_completion_length")
"""Settings that are the preset's own."""


def make_worlds() -> list[World]:
    """Make one world for each application."""
    return [
        World(
            name=f"pocket-{name}",
            family=FAMILY,
            in_domain="in_domain",
            out_of_domain=("domains", "longer"),
            seeds=RUN_SEEDS,
            budget=own.budget,
            methods={**WITHOUT_HINDSIGHT, **own.hindsight},
            prepare=partial(_prepare, name),
            warm_up_learning_rate=WARM_UP_RATE,
            learning_rates=RATES,
            settings={setting: getattr(find_preset(name).config, setting) for setting in OF_THE_PRESET},
        )
        for name, own in APPLICATIONS.items()
    ]


def _prepare(application: str, budget: Budget, folder: Path) -> Ground:
    preset, general = find_preset(application), _read_general_texts()
    task = preset.task(preset.config)
    if isinstance(task, EpisodesTask):
        return _prepare_dialogue(task, budget, general)
    warm_up, rest = divide_labels(task, budget)
    dev = Part(task, task.items(task.train_split)[-DEV_ITEMS:], (DEV,))
    return Ground(MODEL_FOLDER, warm_up, rest, rest, task, dev, general)


def _prepare_dialogue(task: EpisodesTask, budget: Budget, general: Sequence[str]) -> Ground:
    """Take the turns of an expert with the same customer as the gold answers of an episode."""
    seeds = task.seeds["train"]
    warm_up, rest = seeds[: budget.warm_up_labels], seeds[budget.warm_up_labels : budget.labels]
    attempted, dev = (
        EpisodesTask(task.make_env, name=task.name, seeds=own, max_turns=task.max_turns)
        for own in ({"train": rest}, {"train": rest, DEV: seeds[-DEV_ITEMS:]})
    )
    gold = (Part(task, _make_turns(own)) for own in (warm_up, rest))
    return Ground(MODEL_FOLDER, *gold, attempted, task, dev, general)


def _make_turns(seeds: Sequence[int]) -> list[Item]:
    return [
        Item(f"{seed}.{number}", prompt, text)
        for seed in seeds
        for number, (prompt, text) in enumerate(expert_turns(errand_of(seed)), start=1)
    ]


def _read_general_texts() -> list[str]:
    """Return some of everything that the model has read the like of."""
    documents = islice(corpus.documents(GENERAL_SEED), GENERAL_TEXTS)
    return [f"{document.prompt}{document.completion}" for document in documents]
