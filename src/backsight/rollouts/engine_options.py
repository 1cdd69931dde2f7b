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

    def build(self, policy: Policy) -> Engine:
        """Make the engine that acts for the policy, with the weights that it has now.

        Raises:
            ModelError: when the engine cannot act for this kind of policy.
        """
        raise NotImplementedError
