"""Presets that need no data, in which the pocket model learns in its generated world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backsight.config import RunConfig, change_config
from backsight.hindsight.prompt.options import RelabelOptions
from backsight.presets.base import START, Preset
from backsight.tasks.base import Task
from backsight.training.config import StopConfig
from backsight_pocket.dialogue import MAX_TURNS, SEEDS, UserSimulator
from backsight_pocket.instructions import InstructionsTask
from backsight_pocket.sentiment import PocketSentimentTask
from backsight_pocket.summarization import PocketSummaryTask
from backsight_pocket.translation import PocketTranslationTask

RELABEL_OR_GOLD = [{"name": "relabel", "selection": "hir", "max_replays": 2}, "gold_anchor"]
"""Hindsight settings: two failures of a group are relabelled, and where all failed, the gold answer is revealed.
Imitating every attempt, the successes too, would cost words of domains that are not trained (docs/log.md)."""

SETTINGS: Mapping[str, Any] = {
    "learning_rate": 5e-4,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 3,
    "prompts_per_step": 64,
    "mini_batches": 8,
    "stop": {"max_steps": None, "max_attempts": 10_240},
}
"""Settings with which the pocket model learns each of these tasks well (docs/log.md)."""


def instructions() -> Preset:
    """Make the preset of sentences under several constraints, with the best settings of the sweep in docs/log.md."""
    config = RunConfig(
        preset="instructions",
        policy="pocket",
        hindsight=RelabelOptions(),
        algorithm="rloo",
        learning_rate=7e-4,
        lr_scheduler_type="cosine",
        warmup_steps=3,
        num_generations=8,
        prompts_per_step=64,
        mini_batches=8,
        micro_batch_size=2048,
        max_completion_length=24,
        stop=StopConfig(max_seconds=120),
    )
    summary = "write a sentence that obeys several constraints at once"
    return Preset("instructions", summary, config, lambda own: InstructionsTask(), made_for="pocket")


def sentiment() -> Preset:
    """Make the preset of reviews: a wrong label is relabelled by rewriting the review as little as it takes."""
    return _offline(
        "sentiment", "label a review", PocketSentimentTask, {"hindsight": "relabel", "max_completion_length": 4}
    )


def translation() -> Preset:
    """Make the preset of translations into Tarin.

    A wrong translation is learnt as that of what it does say; where all are wrong, the right one is revealed.
    """
    settings = {"hindsight": RELABEL_OR_GOLD, "max_completion_length": 24}
    return _offline("translation", "translate into an invented language", PocketTranslationTask, settings)


def summarization() -> Preset:
    """Make the preset of reports: the facts that a summary did tell become those that mattered."""
    settings = {"hindsight": RELABEL_OR_GOLD, "max_completion_length": 24}
    return _offline("summarization", "summarise a report", PocketSummaryTask, settings)


def dialogue() -> Preset:
    """Make the preset of conversations with a customer, whose hidden goal is revealed at the end.

    Each turn is credited with how much nearer the goal was after the customer's answer. An offer of something else is
    learnt as the right offer to a customer who wanted that.
    """
    settings = {
        "hindsight": ["shaping", "relabel"],
        "algorithm": "reinforce",
        "max_completion_length": 16,
        "prompts_per_step": 32,
        "stop": {"max_attempts": 5_120},  # an attempt has several turns
    }
    return _offline("dialogue", "find out what a customer wants, and offer it", _customers, settings)


def _offline(name: str, summary: str, make_task: Callable[[], Task], settings: Mapping[str, Any]) -> Preset:
    config = RunConfig(preset=name, hindsight=RelabelOptions(), **START)
    return Preset(name, summary, change_config(config, SETTINGS, settings), lambda own: make_task())


def _customers() -> Task:
    from backsight.environments.episodes import EpisodesTask  # it imports torch, which `--help` need not wait for

    return EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
