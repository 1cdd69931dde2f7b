"""Runs that are over in a second, with a run folder to look at."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tiny_models import tiny_policy

from backsight.policies.base import Policy
from backsight.presets.base import configure
from backsight.rollouts.engines import engine_for
from backsight.runs.finetune import train
from backsight.runs.start import begin
from backsight.training.config import TrainingConfig

SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "prompts_per_step": 2,
    "num_generations": 4,
    "max_completion_length": 3,
    "eval_items": 4,
    "hindsight": "gold_anchor",
}


def sentiment_run(place: Path, ending: str = "", **settings: Any) -> Path:
    """Train a small model on a few texts with this ending, most of them positive, and return the run folder."""
    tiny_policy(words=("positive", "negative")).save(place / "model")
    labels = ("positive",) * 8 + ("negative",)
    texts = [{"text": f"t{each}{ending}", "label": labels[each % 9]} for each in range(40)]
    rows = place / "rows.jsonl"
    rows.write_text("".join(json.dumps(each) + "\n" for each in texts))
    fixed = {"policy": str(place / "model"), "data": str(rows), "output_dir": str(place / "runs")}
    config, make = configure("sentiment", {**SETTINGS, **settings, **fixed})
    return train(begin(config, make(config)), show_progress=False).folder


def sampler_for(policy: Policy, config: TrainingConfig) -> dict[str, Any]:
    """Return what samples for the policy: fields of `EpisodeSource`."""
    actor = copy.deepcopy(policy) if config.max_staleness else None
    return {"engine": engine_for(policy if actor is None else actor), "actor": actor}
