"""Adapters in the weights of their model: tried on copies first, and never at the cost of a tied weight."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import tiny_policy
from torch import nn

from backsight.errors import ModelError
from backsight.policies import adapters
from backsight.policies.base import trained_weights
from backsight.policies.config import AdapterConfig
from backsight.policies.merging import check_layers, merge_layers


def adapted() -> tuple[Any, list[tuple[str, Any]]]:
    model = tiny_policy().model
    adapters.put_on(model, AdapterConfig(r=2, lora_alpha=4, target_modules=("q_proj",)))
    with torch.no_grad():
        for weight in trained_weights(model).values():
            weight.add_(0.1)
    return model, list(adapters.adapted_layers(model))


def test_a_trial_changes_nothing() -> None:
    model, layers = adapted()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    check_layers(layers)
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert adapters.has_adapter(model) and len(layers) == 2


def test_a_merge_that_rounds_the_adapter_away_is_refused() -> None:
    _, layers = adapted()
    base = layers[0][1].get_base_layer()
    plain = base.forward
    base.forward = lambda inputs: (plain(inputs) * 4).round() / 4  # as a base in few bits computes
    with pytest.raises(ModelError, match="the layer computes otherwise afterwards; leave out adapter.merge"):
        check_layers(layers)


def test_what_shares_a_weight_still_does_where_nothing_has_changed_it() -> None:
    model, layers = adapted()
    model.lm_head.weight = model.model.embed_tokens.weight
    merge_layers(model, layers)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert isinstance(model.model.layers[0].self_attn.q_proj, nn.Linear)
    assert all(weight.requires_grad for weight in model.parameters())
