"""The base class of the options of engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backsight.settings import Settings

if TYPE_CHECKING:
    from backsight.policies.base import Policy
    from backsight.rollouts.base import Engine


class EngineOptions(Settings):
    """Options of an engine; `name` says which engine."""

    name: str

    def build(self, policy: Policy, *, own_weights: bool) -> Engine:
        """Make the engine with the weights that the policy has now.

        Args:
            policy: the learner.
            own_weights: whether the engine has to keep its weights while the learner's change.

        Raises:
            ModelError: when the engine cannot act for this kind of policy.
        """
        raise NotImplementedError
