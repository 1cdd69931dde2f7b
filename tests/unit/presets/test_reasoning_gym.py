"""The preset `reasoning-gym:NAME`."""

from __future__ import annotations

import re

import pytest

from backsight.errors import ConfigError
from backsight.presets.base import find_preset
from backsight.tasks.reasoning_gym import ReasoningGymTask

pytest.importorskip("reasoning_gym")


def test_a_preset_has_the_name_of_a_task_and_its_options() -> None:
    name = "reasoning-gym:chain_sum,max_terms=2,max_digits=1,min_digits=1"
    preset = find_preset(name)
    config = preset.configure({"num_generations": 4})
    assert (config.preset, config.num_generations, config.hindsight.label) == (name, 4, "outcome")
    task = preset.task(config)
    assert isinstance(task, ReasoningGymTask)
    assert all(re.search(r": [0-9] [+-] [0-9] =\n", item.prompt) for item in task.items("train")[:20])


def test_mistakes_in_the_name_are_named_before_a_task_is_made() -> None:
    with pytest.raises(ConfigError, match="chain_sun: unknown; did you mean 'chain_sum'"):
        find_preset("reasoning-gym:chain_sun")
    with pytest.raises(ConfigError, match="max_term: unknown; did you mean 'max_terms'"):
        find_preset("reasoning-gym:chain_sum,max_term=2")


def test_it_makes_its_own_items() -> None:
    preset = find_preset("reasoning-gym:chain_sum")
    with pytest.raises(ConfigError, match="^data: rows.jsonl: reasoning-gym:chain_sum makes its own items"):
        preset.task(preset.configure({"data": "rows.jsonl"}))
