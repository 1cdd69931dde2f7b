"""All engines by name, and the one that acts for a kind of policy."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from torch import nn

from backsight.errors import ConfigError, ModelError
from backsight.policies.base import Policy
from backsight.policies.distributions import CategoricalHead
from backsight.policies.module import ModulePolicy
from backsight.policies.opening import KINDS
from backsight.rollouts.base import Engine
from backsight.rollouts.decoding.causal_lm import CausalLMEngine
from backsight.rollouts.decoding.seq2seq_lm import Seq2SeqLMEngine
from backsight.rollouts.engine_options import EngineOptions
from backsight.rollouts.engines import (
    ENGINES,
    IN_PROCESS,
    EngineChoice,
    InProcessOptions,
    engine_for,
)
from backsight.rollouts.in_process import DirectEngine
from backsight.settings import Settings
from backsight.types import Sampling

SAMPLING = Sampling(max_completion_length=6)
OBSERVATIONS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def tiny_module(seed: int = 0) -> ModulePolicy:
    torch.manual_seed(seed)
    return ModulePolicy(nn.Linear(3, 4), CategoricalHead([4]), OBSERVATIONS)


MAKERS: dict[str, Callable[..., Any]] = {
    "causal_lm": tiny_policy,
    "seq2seq_lm": tiny_seq2seq,
    "classifier": lambda seed=0: tiny_classifier(("bad", "fair", "good"), seed=seed),
    "module": tiny_module,
}
ENGINE_CLASSES = {
    "causal_lm": CausalLMEngine,
    "seq2seq_lm": Seq2SeqLMEngine,
    "classifier": DirectEngine,
    "module": DirectEngine,
}


def log_probs(engine: Engine, kind: str) -> list[list[float]]:
    """Of what it does when it is asked a few times; as good as its weights to tell two engines apart."""
    observations = list(OBSERVATIONS) if kind == "module" else ["a", "a", "something longer", "b", "c", ""]
    actions = dict(engine.act(observations, SAMPLING, range(len(observations))))
    return [actions[index].log_probs.tolist() for index in range(len(observations))]


def change(policy: Policy) -> None:
    with torch.no_grad():
        for weight in policy.module.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * 0.1)


class Holder(Settings):
    engine: EngineChoice = InProcessOptions()


def test_an_engine_is_known_by_its_name() -> None:
    assert "in_process" in ENGINES.names() and ENGINES.find("in_process") is InProcessOptions
    for choice in ("in_process", {"name": "in_process"}, InProcessOptions()):
        assert isinstance(Holder(engine=choice).engine, InProcessOptions)
    with pytest.raises(ConfigError, match="engine: in_proces: unknown; did you mean 'in_process'"):
        Holder(engine="in_proces")


def test_options_alone_make_no_engine() -> None:
    with pytest.raises(NotImplementedError):
        EngineOptions(name="none").build(tiny_module())


def test_every_kind_of_policy_has_its_engine() -> None:
    assert set(IN_PROCESS) == set(MAKERS) == {*KINDS, ModulePolicy.kind}


@pytest.mark.parametrize("kind", MAKERS)
def test_the_kind_of_the_policy_chooses_the_engine(kind: str) -> None:
    policy = MAKERS[kind]()
    engine = engine_for(policy)
    assert type(engine) is ENGINE_CLASSES[kind]
    assert engine.policy is policy and engine.profile is policy.profile, "it shares the weights of the policy"


@pytest.mark.parametrize("kind", MAKERS)
def test_an_engine_that_shares_weights_sees_them_change(kind: str) -> None:
    policy = MAKERS[kind]()
    engine = engine_for(policy)
    before = log_probs(engine, kind)
    change(policy)
    after = log_probs(engine, kind)
    assert after != before
    engine.load_weights(policy)
    assert log_probs(engine, kind) == after


@pytest.mark.parametrize("kind", MAKERS)
def test_an_engine_keeps_its_own_weights_until_others_are_loaded(kind: str) -> None:
    policy = MAKERS[kind]()
    engine = InProcessOptions().build(copy.deepcopy(policy))
    before = log_probs(engine, kind)
    assert before == log_probs(engine_for(policy), kind)
    change(policy)
    after = log_probs(engine_for(policy), kind)
    assert log_probs(engine, kind) == before != after
    engine.load_weights(policy)
    assert log_probs(engine, kind) == after
    change(policy)
    assert log_probs(engine, kind) == after, "what was loaded is a copy again"


def test_a_policy_that_nobody_acts_for_is_refused() -> None:
    policy = tiny_module()
    policy.kind = "oracle"  # type: ignore[misc]
    with pytest.raises(ModelError, match="policy: oracle: has no engine in this process; there are: causal_lm, "):
        engine_for(policy)
    with pytest.raises(ModelError, match="oracle"):
        InProcessOptions().build(copy.deepcopy(policy))
