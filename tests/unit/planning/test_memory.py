"""What a run takes, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq

from backsight.planning.memory import Load, ModelSize, memory_of, size_of, weights_of_adapter
from backsight.policies import adapters
from backsight.policies.config import AdapterConfig

SIZE = ModelSize(1000, 1000, 900, num_layers=2, hidden_size=8, vocab_size=100, cache_bytes=64)
LOAD = Load(learnt_tokens=10, decoded_rows=4, columns=20, libraries=5000.0)


def test_all_weights_in_float32() -> None:
    parts = memory_of(SIZE, LOAD).parts
    assert parts == {
        "weights": 4000,
        "gradients": 4000,
        "optimizer": 8000,
        "copy from before a step": 4000,
        "activations and logits": 10 * 4 * (17 * 2 * 8 + 3 * 100),
        "decoding": 4 * (20 * 64 + 3 * 4 * 100),
        "interpreter and libraries": 5000,
    }
    assert memory_of(SIZE, LOAD).peak == 20_000 + 5000 + max(parts["activations and logits"], parts["decoding"])


def test_copies_are_of_all_weights_or_of_the_adapter_alone() -> None:
    copies = ("reference", "teacher", "best")
    whole = memory_of(SIZE, replace(LOAD, copies=copies)).parts
    assert [whole[name] for name in copies] == [4000] * 3
    adapted = memory_of(replace(SIZE, num_trained=100), replace(LOAD, copies=copies)).parts
    assert [adapted[name] for name in copies] == [400] * 3
    assert (adapted["weights"], adapted["gradients"], adapted["optimizer"]) == (4000, 400, 800)


def test_a_gpu_in_bfloat16_has_masters_and_no_copies_that_lie_elsewhere() -> None:
    parts = memory_of(SIZE, replace(LOAD, bf16=True, on_gpu=True, copies=("reference", "best"))).parts
    assert (parts["weights"], parts["masters"], parts["reference"]) == (2000, 4000, 2000)
    assert not parts.keys() & {"best", "copy from before a step", "interpreter and libraries"}


def test_four_bits_are_of_the_base_alone() -> None:
    parts = memory_of(replace(SIZE, num_trained=100), replace(LOAD, in_four_bits=True)).parts
    assert parts["weights"] == pytest.approx(400 + 0.55 * 900)


def test_what_was_measured_of_a_token_goes_before_the_formula() -> None:
    assert memory_of(SIZE, replace(LOAD, bytes_a_token=7.0)).parts["activations and logits"] == 70


def test_sizes_are_those_of_the_model() -> None:
    model = tiny_policy().model
    size = size_of(model)
    assert size.num_weights == size.num_trained == sum(each.numel() for each in model.parameters())
    assert (size.num_layers, size.hidden_size, size.vocab_size) == (2, 32, model.config.vocab_size)
    assert size.cache_bytes == 2 * 2 * 1 * 16 * 4  # keys and values, two layers, one head of 16 numbers, four bytes


def test_sizes_have_other_names_in_other_models() -> None:
    for model in (
        tiny_policy("gpt2").model,
        tiny_seq2seq("bart").model,
        tiny_classifier(("a", "b"), "distilbert").model,
    ):
        size = size_of(model)
        assert (size.num_layers, size.hidden_size) == (2, 32)


def test_an_adapter_is_as_large_as_it_is_said_to_be() -> None:
    model = tiny_policy().model
    expected = weights_of_adapter(model, 4)
    adapters.put_on(model, AdapterConfig(r=4))
    size = size_of(model)
    assert size.has_adapter and size.num_trained == expected
