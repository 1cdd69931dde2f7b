"""The registry of engines by name, and the engine that acts for a policy in this process.

To add an engine, write a file with a class that fulfils `Engine`, and a class of options here that builds it, with its
line in `ENGINES`. Packages add engines by entry points ``backsight.engines``, each a class of options.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import SerializeAsAny

from backsight.errors import ModelError
from backsight.registry import Registry, load
from backsight.rollouts.engine_options import EngineOptions
from backsight.settings import ByName

if TYPE_CHECKING:
    from backsight.policies.base import Policy
    from backsight.rollouts.base import Engine


class InProcessOptions(EngineOptions):
    """Options of the engines that sample in this process."""

    name: Literal["in_process"] = "in_process"

    def build(self, policy: Policy) -> Engine:
        if policy.kind not in IN_PROCESS:
            raise ModelError(
                "policy", policy.kind, f"has no engine in this process; there are: {', '.join(IN_PROCESS)}"
            )
        engine: Engine = load(IN_PROCESS[policy.kind])(policy, policy.profile)
        return engine


IN_PROCESS: Mapping[str, str] = {
    "causal_lm": "backsight.rollouts.decoding.causal_lm:CausalLMEngine",
    "seq2seq_lm": "backsight.rollouts.decoding.seq2seq_lm:Seq2SeqLMEngine",
    "classifier": "backsight.rollouts.in_process:DirectEngine",
    "module": "backsight.rollouts.in_process:DirectEngine",
}
"""Path of the engine class for each kind of policy."""

ENGINES: Registry[type[EngineOptions]] = Registry(
    "backsight.engines",
    "engine",
    {"in_process": InProcessOptions, "vllm": "backsight.rollouts.vllm.options:VllmOptions"},
)

EngineChoice = Annotated[SerializeAsAny[EngineOptions], ByName(ENGINES)]
"""Type of a settings field that holds the options of one engine."""


def engine_for(policy: Policy) -> Engine:
    """Return the engine that acts in this process with the policy's own weights.

    Raises:
        ModelError: when there is no engine for this kind of policy.
    """
    return InProcessOptions().build(policy)
