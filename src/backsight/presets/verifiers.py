"""`verifiers:NAME`: an installed environment of verifiers, with settings of its taskset after commas.

Settings that begin with ``eval.`` are for evaluation alone: ``verifiers:gsm8k,split=train,eval.split=test``.
"""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.environments.verifiers_task import VerifiersTask
from backsight.hindsight.options import OutcomeOptions
from backsight.presets.base import START, Preset
from backsight.presets.options import parse_name
from backsight.tasks.base import Task

FOR_EVALUATION = "eval."


def verifiers(name: str) -> Preset:
    """Make the preset of an environment. Most are too hard for a small model: set `policy`.

    Raises:
        ConfigError: when verifiers or the environment is not installed, or does not fit; see `VerifiersTask`.
        DataError: when the environment has too few tasks.
    """
    environment, known = parse_name("verifiers", name)
    apart = {key.removeprefix(FOR_EVALUATION): value for key, value in known.items() if key.startswith(FOR_EVALUATION)}
    options = {key: value for key, value in known.items() if not key.startswith(FOR_EVALUATION)}
    task = VerifiersTask(environment, options=options, eval_options=apart)
    preset = f"verifiers:{name}"
    config = RunConfig(preset=preset, hindsight=OutcomeOptions(), max_completion_length=128, **START)

    def make_task(config: RunConfig) -> Task:
        return task

    return Preset(preset, "an environment of verifiers", config, make_task)
