"""What the four applications share: the pocket world offline, rows of the user's own, settings for either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backsight.config import RunConfig, change_config
from backsight.errors import ConfigError
from backsight.hindsight.config_response import GoldAnchorConfig
from backsight.presets.base import START, Preset
from backsight.tasks.base import Task
from backsight.tasks.rows import FileTask

RELABEL_OR_GOLD = [{"name": "relabel", "selection": "hir", "max_replays": 2}, "gold_anchor"]
"""Two failures of a group are relabelled, and where all failed the gold answer is revealed. To imitate every attempt,
the successes too, costs words of domains that are not trained (docs/log.md)."""

OFFLINE: Mapping[str, Any] = {
    "learning_rate": 5e-4,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 3,
    "prompts_per_step": 64,
    "mini_batches": 8,
    "stop": {"max_steps": None, "max_attempts": 10_240},
}
"""How the pocket model learns well, whatever it learns (docs/log.md)."""


def application(
    name: str,
    summary: str,
    *,
    world: Callable[[], Task],
    offline: Mapping[str, Any],
    rows: type[FileTask],
    max_completion_length: int,
) -> Preset:
    """Without `data` the task is `world`, where the pocket model learns with the settings `offline`; with it, `rows`.

    On rows nobody can say what a wrong answer would have been right for, but what was right is revealed: a group in
    which all failed is joined by the gold answer.
    """
    on_data = RunConfig(
        preset=name,
        policy="pocket",
        hindsight=GoldAnchorConfig(),
        max_completion_length=max_completion_length,
        **START,
    )

    def task(config: RunConfig) -> Task:
        if config.data is not None:
            return rows(config.data, test=config.eval_data, ood=config.ood_data)
        for field in ("eval_data", "ood_data"):
            if (value := getattr(config, field)) is not None:
                raise ConfigError(field, value, f"goes with training data, and {name} has none yet; set data=PATH")
        return world()

    return Preset(name, summary, change_config(on_data, OFFLINE, offline), task, on_data)
