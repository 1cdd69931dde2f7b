"""`logs`: conversations that people rated, commented on or corrected, on rows with `messages`."""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.errors import ConfigError
from backsight.hindsight.config_response import RecordedConfig
from backsight.presets.base import Preset
from backsight.tasks.base import Task
from backsight.tasks.conversations import ConversationsTask
from backsight.training.config import StopConfig


def logs() -> Preset:
    """Nothing is sampled: what was said in the log is made more or less likely by what was said of it.

    Off-policy, and the run says so (`frac_off_policy`). Before and after training, the likelihood of held-back
    turns that were rewarded is compared with that of the others.
    """
    config = RunConfig(
        preset="logs",
        policy="pocket",
        hindsight=RecordedConfig(),
        algorithm="reinforce",
        learning_rate=1e-4,
        prompts_per_step=32,
        max_completion_length=64,
        stop=StopConfig(max_steps=200),
    )
    return Preset("logs", "learn from conversations that were rated, commented on or corrected", config, _task)


def _task(config: RunConfig) -> Task:
    if config.data is None:
        raise ConfigError("data", None, "logs needs rows with 'messages', some of them judged; set data=PATH")
    is_told = getattr(config.hindsight, "distill_weight", 0) > 0  # a teacher is told what the user said next
    return ConversationsTask(config.data, test=config.eval_data, ood=config.ood_data, next_turn_is_feedback=is_told)
