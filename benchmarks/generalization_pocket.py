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

from generalization_protocol import DEV, WITHOUT_HINDSIGHT, Budget, Ground, Method, Part, World, divided

from backsight import presets
from backsight.environments.episodes import EpisodesTask
from backsight.pocket import corpus
from backsight.pocket.dialogue import errand_of, expert_turns
from backsight.pocket.folder import MODEL_FOLDER
from backsight.presets.application import RELABEL_OR_GOLD
from backsight.tasks.base import Item

FAMILY = "pocket model"
RUN_SEEDS = (0, 1, 2)
DEV_ITEMS = 300
"""The last ones of the train split, which has a million."""
BUDGET = Budget(labels=120, warm_up_labels=40, warm_up_passes=4, steps=20, eval_items=300, prompts_per_step=64)
WARM_UP_RATE, RATES = 7e-4, (2e-4, 5e-4, 1e-3)
GENERAL_SEED, GENERAL_TEXTS = 1_000_000, 100
"""Of the stream of documents that is held out, and how many of them are looked at."""


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


def worlds() -> list[World]:
    """One an application."""
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
            settings={setting: getattr(presets.get(name).config, setting) for setting in OF_THE_PRESET},
        )
        for name, own in APPLICATIONS.items()
    ]


def _prepare(application: str, budget: Budget, folder: Path) -> Ground:
    preset, general = presets.get(application), _general_texts()
    task = preset.task(preset.config)
    if isinstance(task, EpisodesTask):
        return _dialogue(task, budget, general)
    warm_up, rest = divided(task, budget)
    dev = Part(task, task.items(task.train_split)[-DEV_ITEMS:])
    return Ground(MODEL_FOLDER, warm_up, rest, rest, task, dev, general)


def _dialogue(task: EpisodesTask, budget: Budget, general: Sequence[str]) -> Ground:
    """The gold answers of an episode are the turns of an expert with the same customer."""
    seeds = task.seeds["train"]
    warm_up, rest = seeds[: budget.warm_up_labels], seeds[budget.warm_up_labels : budget.labels]
    attempted, dev = (
        EpisodesTask(task.make_env, name=task.name, seeds=own, max_turns=task.max_turns)
        for own in ({"train": rest}, {"train": rest, DEV: seeds[-DEV_ITEMS:]})
    )
    return Ground(MODEL_FOLDER, Part(task, _turns(warm_up)), Part(task, _turns(rest)), attempted, task, dev, general)


def _turns(seeds: Sequence[int]) -> list[Item]:
    return [
        Item(f"{seed}.{number}", prompt, text)
        for seed in seeds
        for number, (prompt, text) in enumerate(expert_turns(errand_of(seed)), start=1)
    ]


def _general_texts() -> list[str]:
    """Of everything that the model has read the like of."""
    documents = islice(corpus.documents(GENERAL_SEED), GENERAL_TEXTS)
    return [f"{document.prompt}{document.completion}" for document in documents]
