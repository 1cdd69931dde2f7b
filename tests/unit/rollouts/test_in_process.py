"""Engines in this process: whose weights they act with."""

import copy

import torch
from tiny_models import tiny_classifier

from backsight.policies.classifier import ClassifierPolicy
from backsight.rollouts.engines import engine_for
from backsight.rollouts.in_process import DirectEngine
from backsight.types import Sampling

LABELS = ("bad", "fair", "good")
PROMPTS = ("a", "something longer", "b", "c")


def direct(policy: ClassifierPolicy) -> DirectEngine:
    engine = engine_for(policy)
    assert isinstance(engine, DirectEngine)
    return engine


def log_probs(engine: DirectEngine) -> torch.Tensor:
    """Of the choices at the prompts."""
    return torch.cat([action.log_probs for _, action in engine.act(PROMPTS, Sampling(), range(len(PROMPTS)))])


def test_a_classifier_acts_by_itself() -> None:
    policy = tiny_classifier(LABELS)
    found, expected = (dict(each.act(PROMPTS, Sampling(), range(4))) for each in (direct(policy), policy))
    assert [found[index].text for index in range(4)] == [expected[index].text for index in range(4)]


def test_a_copy_of_a_classifier_takes_over_weights() -> None:
    policy = tiny_classifier(LABELS, seed=0)
    engine = direct(copy.deepcopy(policy))
    untrained = log_probs(engine)
    policy.module.load_state_dict(tiny_classifier(LABELS, seed=1).module.state_dict())
    assert torch.equal(log_probs(engine), untrained)
    engine.load_weights(policy)
    assert torch.equal(log_probs(engine), log_probs(direct(policy)))
    assert not torch.equal(log_probs(engine), untrained)


def test_only_trained_weights_are_taken_over() -> None:
    """Beneath an adapter, what is frozen is shared already."""
    policy, other = tiny_classifier(LABELS, seed=0), tiny_classifier(LABELS, seed=1)
    for each in (policy, other):
        each.module.requires_grad_(False)
        each.model.classifier.requires_grad_(True)
    engine = direct(copy.deepcopy(policy))
    engine.load_weights(other)
    assert torch.equal(engine.policy.model.classifier.weight, other.model.classifier.weight)
    assert engine.policy.model.bert.pooler.dense.weight is policy.model.bert.pooler.dense.weight


def test_weights_in_another_precision_are_taken_over_in_that() -> None:
    policy = tiny_classifier(LABELS)
    engine = direct(copy.deepcopy(policy))
    policy.module.to(torch.bfloat16)
    engine.load_weights(policy)
    assert {weight.dtype for weight in engine.policy.module.parameters()} == {torch.bfloat16}
    assert torch.equal(log_probs(engine), log_probs(direct(policy)))


def test_an_engine_acts_as_its_policy_itself_and_keeps_the_one_of_another() -> None:
    engine = direct(tiny_classifier(LABELS, seed=0))
    other, third = tiny_classifier(LABELS, seed=1), tiny_classifier(LABELS, seed=2)
    assert engine.acting_as(engine.policy) is engine
    acting = engine.acting_as(other)
    assert acting.policy is other and acting.profile is engine.profile
    assert torch.equal(log_probs(acting), log_probs(direct(other)))
    assert engine.acting_as(other) is acting and engine.acting_as(third) is not acting


def test_time_and_tokens_are_counted_where_the_policy_counts_them() -> None:
    policy = tiny_classifier(LABELS)
    engine = engine_for(policy)
    dict(engine.act(PROMPTS, Sampling(), range(4)))
    assert engine.profile.tokens["prefill"] == sum(len(policy.prompt_tokens(prompt)) for prompt in PROMPTS)
