"""The engine that acts for a policy in this process."""

from __future__ import annotations

from backsight.errors import ModelError
from backsight.policies.base import Policy
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.rollouts.engine import Engine
from backsight.rollouts.local import LocalEngine
from backsight.rollouts.seq2seq import Seq2SeqEngine


def engine_for(policy: Policy) -> Engine:
    """Raises `ModelError` for a policy that nobody acts for."""
    if isinstance(policy, CausalLMPolicy):
        return LocalEngine(policy)
    if isinstance(policy, Seq2SeqLMPolicy):
        return Seq2SeqEngine(policy)
    if isinstance(policy, ClassifierPolicy):
        return policy
    raise ModelError("policy", type(policy).__name__, "has no engine in this process")
