"""A task item as an episode of one step: the prompt is observed, the completion is the action."""

from __future__ import annotations

from backsight.environments.base import StepResult
from backsight.tasks.base import Item
from backsight.types import Action, Observation


class SingleTurn:
    """Ends after one action. The reward comes afterwards, from whoever gives feedback."""

    def __init__(self, item: Item) -> None:
        self.item = item

    def reset(self) -> Observation:
        return self.item.prompt

    def step(self, action: Action) -> StepResult:
        return StepResult(self.item.prompt, terminated=not action.is_truncated, truncated=action.is_truncated)
