"""Models on paper, and models with fewer layers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from transformers import Gemma3TextConfig

from backsight.errors import ModelError
from backsight.policies.shortened import depth_of, on_paper, open_shortened, shorten


def test_a_model_on_paper_has_shapes_and_no_weights(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.save(tmp_path / "model")
    paper = on_paper(str(tmp_path / "model"), None, trust_remote_code=False)
    assert {each.device.type for each in paper.parameters()} == {"meta"}
    assert [each.shape for each in paper.parameters()] == [each.shape for each in policy.model.parameters()]


def test_what_is_said_of_each_layer_is_cut_as_well() -> None:
    config = Gemma3TextConfig(num_hidden_layers=4, layer_types=["full_attention", "sliding_attention"] * 2)
    short = shorten(config, 1)
    assert (short.num_hidden_layers, short.layer_types) == (1, ["full_attention"])
    assert (depth_of(config), depth_of(short)) == (4, 1)


def test_both_parts_of_an_encoder_decoder_are_cut(tmp_path: Path) -> None:
    for name in ("t5", "bart"):
        tiny_seq2seq(name).save(tmp_path / name)
        short = open_shortened(str(tmp_path / name), 1, None, trust_remote_code=False)
        assert short.kind == "seq2seq_lm" and depth_of(short.model.config) == 1


def test_a_classifier_has_the_labels_of_its_task(tmp_path: Path) -> None:
    tiny_classifier(("a", "b")).save(tmp_path / "model")
    short = open_shortened(str(tmp_path / "model"), 1, ("a", "b"), trust_remote_code=False)
    assert short.model.config.num_labels == 2


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="policy"):
        on_paper(str(tmp_path / "none"), None, trust_remote_code=False)
