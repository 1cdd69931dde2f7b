"""`logs` and `corrections`: answers that people rated, commented on or corrected, in conversations or alone.

Nothing is sampled: a recorded answer is made more or less likely, depending on what people said of it. That is
off-policy, and the run says so (`frac_off_policy`). Before and after training, the likelihood of held-back turns that
were rewarded is compared with that of the others.
"""

from __future__ import annotations

from backsight.config import RunConfig
from backsight.hindsight.response.options import RecordedOptions
from backsight.presets.base import START, Preset
from backsight.tasks.base import Task
from backsight.tasks.conversations import ConversationsTask
from backsight.tasks.corrections import CorrectionsTask


def logs() -> Preset:
    """Make the preset `logs`, for rows with `messages`, some of them judged."""
    summary = "learn from conversations that were rated, commented on or corrected"
    return Preset("logs", summary, _config("logs"), _conversations, needs_data=True)


def corrections() -> Preset:
    """Make the preset `corrections`, for rows with `prompt` and a judged `completion`, or `chosen` and `rejected`."""
    summary = "learn from single answers that were rated, commented on, corrected or preferred"
    return Preset("corrections", summary, _config("corrections"), _answers, needs_data=True)


def _config(name: str) -> RunConfig:
    start = {**START, "algorithm": "reinforce"}
    return RunConfig(preset=name, hindsight=RecordedOptions(), max_completion_length=64, **start)


def _conversations(config: RunConfig) -> Task:
    is_told = config.hindsight.needs_teacher  # a teacher is told what the user said next
    return ConversationsTask(
        str(config.data), test=config.eval_data, ood=config.ood_data, next_turn_is_feedback=is_told
    )


def _answers(config: RunConfig) -> Task:
    return CorrectionsTask(str(config.data), test=config.eval_data, ood=config.ood_data)
