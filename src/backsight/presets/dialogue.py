"""`dialogue`: several turns with a simulated customer of the pocket world, or replies on rows with `messages`."""

from __future__ import annotations

from backsight.pocket.dialogue import MAX_TURNS, SEEDS, UserSimulator
from backsight.presets.application import application
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.dialogue import DialogueTask


def dialogue() -> Preset:
    """Offline the customer's hidden goal is revealed at the end: each turn is credited with how much nearer it was
    after the customer's answer, and an offer of something else is learnt as the service of who wanted that."""
    return application(
        "dialogue",
        "find out what a user wants, and answer",
        world=_customers,
        offline={
            "hindsight": ["shaping", "relabel"],
            "algorithm": "reinforce",
            "max_completion_length": 16,
            "prompts_per_step": 32,
            "stop": {"max_attempts": 5_120},  # an attempt has several turns
        },
        rows=DialogueTask,
        max_completion_length=48,
    )


def _customers() -> Task:
    from backsight.environments.episodes import EpisodesTask  # brings torch, for which help need not wait

    return EpisodesTask(UserSimulator, name="pocket_dialogue", seeds=SEEDS, max_turns=MAX_TURNS)
