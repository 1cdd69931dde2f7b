"""Worlds of the pocket model: its four applications, tested on domains that it never trained and on longer items.

Labels are few, so that the base has something left to learn. Two methods look back: `relabel`, because where the world
is generated one can say what a wrong answer would have been right for, and `gold_anchor`, which reveals the gold answer
where a whole group failed; in dialogues, which have several turns, `shaping` credits each of them instead. The learning
rates are of a few tries in domain with one seed: 3e-4 for supervised fine-tuning, which higher ones spoil, 5e-4 for
what samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from generalization_protocol import Budget, Ground, Method, Part, World, controls, divided

from backsight.environments.episodes import EpisodesTask
from backsight.pocket import corpus
from backsight.pocket.dialogue import MAX_TURNS, SEEDS, UserSimulator, errand_of, expert_turns
from backsight.pocket.folder import MODEL_FOLDER
from backsight.pocket.sentiment import PocketSentimentTask
from backsight.pocket.summarization import PocketSummaryTask
from backsight.pocket.translation import PocketTranslationTask
from backsight.tasks.base import Item, Task

FAMILY = "pocket model"
RUN_SEEDS = (0, 1, 2)
BUDGET = Budget(labels=120, warm_up_labels=40, warm_up_passes=4, steps=20, eval_items=300, prompts_per_step=64)
WARM_UP_RATE, SUPERVISED_RATE, SAMPLING_RATE = 7e-4, 3e-4, 5e-4
GENERAL_SEED, GENERAL_TEXTS = 1_000_000, 100
"""Of the stream of documents that is held out, and how many of them are looked at."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one application."""

    max_completion_length: int
    hindsight: Mapping[str, Any]
    algorithm: str = "rloo"
    budget: Budget = BUDGET
    seeds: tuple[int, ...] = RUN_SEEDS


BOTH = {"relabel": "relabel", "gold_anchor": "gold_anchor"}
SETTINGS: Mapping[str, Settings] = {
    "sentiment": Settings(4, BOTH),
    "translation": Settings(24, BOTH),
    "summarization": Settings(24, BOTH, budget=replace(BUDGET, prompts_per_step=32)),
    "dialogue": Settings(
        16,
        {"relabel": "relabel", "shaped_relabel": ["shaping", "relabel"]},
        algorithm="reinforce",
        budget=replace(BUDGET, prompts_per_step=16),
        seeds=RUN_SEEDS[:2],  # an expert has several turns to imitate, and an episode several to play
    ),
}
SHARED: Mapping[str, Any] = {"lr_scheduler_type": "cosine", "warmup_steps": 3, "mini_batches": 8}

TASKS: Mapping[str, Callable[[], Task]] = {
    "sentiment": PocketSentimentTask,
    "translation": PocketTranslationTask,
    "summarization": PocketSummaryTask,
}


def worlds() -> list[World]:
    """One an application."""
    return [
        World(
            name=f"pocket-{application}",
            family=FAMILY,
            application=application,
            in_domain="in_domain",
            out_of_domain=("domains", "longer"),
            seeds=own.seeds,
            budget=own.budget,
            methods=controls(SUPERVISED_RATE, SAMPLING_RATE)
            | {
                name: Method(hindsight, SAMPLING_RATE, name == "gold_anchor")
                for name, hindsight in own.hindsight.items()
            },
            prepare=partial(_prepare, application),
            warm_up_learning_rate=WARM_UP_RATE,
            settings={**SHARED, "algorithm": own.algorithm, "max_completion_length": own.max_completion_length},
        )
        for application, own in SETTINGS.items()
    ]


def _prepare(application: str, budget: Budget, folder: Path) -> Ground:
    general = _general_texts()
    if application == "dialogue":
        return _dialogue(budget, general)
    task = TASKS[application]()
    warm_up, rest = divided(task, budget)
    return Ground(MODEL_FOLDER, warm_up, rest, rest, task, general)


def _dialogue(budget: Budget, general: Sequence[str]) -> Ground:
    """The gold answers of an episode are the turns of an expert with the same customer."""
    seeds = SEEDS["train"]
    warm_up, rest = seeds[: budget.warm_up_labels], seeds[budget.warm_up_labels : budget.labels]
    task = EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
    attempted = EpisodesTask(UserSimulator, name="pocket_dialogue", seeds={"train": rest}, max_turns=MAX_TURNS)
    return Ground(MODEL_FOLDER, Part(task, _turns(warm_up)), Part(task, _turns(rest)), attempted, task, general)


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
