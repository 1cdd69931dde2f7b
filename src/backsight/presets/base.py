"""Presets: each a full configuration under a name, and the task that goes with it. `catalogue.py` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.config import RunConfig, change_config, first_policy
from backsight.errors import ConfigError, nearest
from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.response.options import GoldAnchorOptions
from backsight.policies.config import AdapterConfig
from backsight.presets.catalogue import PRESETS, TASKS
from backsight.tasks.base import Task
from backsight.tasks.rows import FileTask, RowsTask
from backsight.tasks.tables import Source
from backsight.training.config import BUDGETS, StopConfig

START: Mapping[str, Any] = {
    "policy": "pocket",
    "adapter": AdapterConfig(name="auto"),
    "algorithm": "rloo",
    "learning_rate": 1e-4,
    "num_generations": 8,
    "prompts_per_step": 32,
    "stop": StopConfig(max_steps=200),
}
"""Settings that a preset for a model of the user's own can start from."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A full configuration under a name, for `backsight train`, and the task that goes with it."""

    name: str
    summary: str
    config: RunConfig
    """The settings that a run starts from."""
    make_task: Callable[[RunConfig], Task]
    needs_data: bool | None = False
    """Whether the preset learns from rows of the user's (`data`) or makes its own items; None leaves that to the task.
    Two presets may share a name if one of them needs data and the other does not."""
    is_in_pocket: bool = False
    """Whether the pocket package has a preset of this name that needs no data."""
    made_for: str | None = None
    """The model that the preset is made for, where another preset of its name is for all others. It is taken when the
    policy is that model, or a run that began with it."""

    def configure(self, *changes: Mapping[str, Any]) -> RunConfig:
        """Return the configuration with these changes; later ones override earlier ones.

        A budget that the changes name replaces the budgets of the preset: who asks for 1,000 steps gets them.

        Raises:
            ConfigError: when a change does not fit.
        """
        return change_config(self.config, *_without_budgets(changes), *changes)

    def task(self, config: RunConfig) -> Task:
        """Make the task of the preset with a configuration.

        Raises:
            ConfigError: when there is no data and the preset needs some, or the other way round.
            DataError: when the data cannot be used.
        """
        if self.needs_data is True and config.data is None:
            offline = "; without data it needs backsight-pocket" if self.is_in_pocket else ""
            raise ConfigError("data", None, f"{self.name} learns from your rows: set data=FILE{offline}")
        for field in ("data", "eval_data", "ood_data"):
            if self.needs_data is False and (value := getattr(config, field)) is not None:
                remedy = f"goes with training data, and {self.name} has none yet; set data=PATH"
                if field == "data":
                    remedy = f"{self.name} makes its own items; leave it out"
                raise ConfigError(field, value, remedy)
        return self.make_task(config)


def on_rows(name: str, summary: str, rows: type[FileTask], max_completion_length: int) -> Preset:
    """Make a preset for rows of the user's.

    On such rows, it is not known which prompt a wrong answer would have been right for, but the right answer is
    revealed: the gold answer joins a group in which all attempts failed.
    """
    config = RunConfig(preset=name, hindsight=GoldAnchorOptions(), max_completion_length=max_completion_length, **START)

    def make_task(own: RunConfig) -> Task:
        return rows(str(own.data), test=own.eval_data, ood=own.ood_data)

    return Preset(name, summary, config, make_task, needs_data=True, is_in_pocket=True)


def find_preset(name: str, *changes: Mapping[str, Any]) -> Preset:
    """Return the preset of this name.

    Of several, it is one that learns from data if the changes set `data`, else one that does not; of those, the one
    that is made for the model that the policy began with, else the first that is made for any.

    Raises:
        ConfigError: when there is no such preset or task. The message names the nearest.
    """
    prefix, colon, options = name.partition(":")
    if colon and prefix + colon in PRESETS.names():
        return PRESETS.find(prefix + colon)(options)
    found = [make() for make in PRESETS.providers(name)]
    if found:
        needs_data = _last("data", changes) is not None
        fitting = [each for each in found if each.needs_data == needs_data] or found
        return fitting[0] if len(fitting) == 1 else _made_for(_last("policy", changes), fitting)
    if name in TASKS.names():
        return _bare_preset(name, TASKS.find(name))
    raise ConfigError("preset", name, f"unknown; {nearest(name, [*PRESETS.names(), *TASKS.names()])}")


def _last(setting: str, changes: Sequence[Mapping[str, Any]]) -> Any:
    return next((change[setting] for change in reversed(changes) if setting in change), None)


def _made_for(policy: Any, presets: Sequence[Preset]) -> Preset:
    """Return the preset that is made for the model that the policy began with, else the first that is for any."""
    model = None if policy is None else first_policy(str(policy))
    own = [each for each in presets if each.made_for == model and model is not None]
    return next(iter([*own, *(each for each in presets if each.made_for is None)]), presets[0])


def _bare_preset(name: str, make_task: Callable[[RunConfig], Task]) -> Preset:
    """Make a preset of a task that brings no settings."""
    config = RunConfig(preset=name, hindsight=OutcomeOptions(), **START)
    return Preset(name, "a task of another package", config, make_task, needs_data=None)


TaskChoice = Task | Source
"""The name of a preset, a task, or rows (see `Source`), which become a `RowsTask`."""


def configure(task: TaskChoice, *changes: Mapping[str, Any]) -> tuple[RunConfig, Callable[[RunConfig], Task]]:
    """Return the configuration with these changes, and a function that makes the task from it.

    `task` is the name of a preset, or a task or rows of the caller's own. Later changes override earlier ones, and a
    budget that they name replaces those of the preset.

    Raises:
        ConfigError: when there is no such preset or task, or a setting does not fit.
        DataError: when it is none of these, or rows cannot be used.
    """
    if isinstance(task, str):
        preset = find_preset(task, *changes)
    else:
        own = task if isinstance(task, Task) else RowsTask(task)
        fixed = {name: START[name] for name in ("policy", "adapter", "stop")}
        config = RunConfig(preset=own.name, hindsight=OutcomeOptions(), **fixed)
        preset = Preset(own.name, "a task of the caller's own", config, lambda _: own, needs_data=None)
    return preset.configure(*changes), preset.task


def _without_budgets(changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the change that takes a preset's budgets away, if one of the changes names a budget."""
    groups = [change.get("stop") for change in changes]
    stops = [dict(each) for each in groups if isinstance(each, Mapping | StopConfig)]
    is_named = any(stop.get(budget) is not None for stop in stops for budget in BUDGETS)
    return [{"stop": dict.fromkeys(BUDGETS)}] if is_named else []


def make_task(config: RunConfig) -> Task:
    """Make the task of the preset that the configuration names."""
    return find_preset(config.preset, config.model_dump()).task(config)
