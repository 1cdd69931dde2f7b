"""Model folders that are damaged: each gets one line that names what is wrong with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_classifier, tiny_policy

from backsight.errors import DataError, ModelError
from backsight.policies.folder import CONFIG, INDEX, WEIGHTS
from backsight.policies.opening import open_policy

PART = "model-00001-of-00001.safetensors"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny_policy().save(tmp_path / "model")
    return tmp_path / "model"


def complaint(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_policy(str(path))
    return str(caught.value)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_not_finite_is_refused(model: Path, value: float) -> None:
    tensors = load_file(model / WEIGHTS)
    tensors["model.layers.1.mlp.up_proj.weight"][0, -1] = value
    save_file(tensors, model / WEIGHTS, metadata={"format": "pt"})
    assert "model.layers.1.mlp.up_proj.weight holds numbers that are not finite" in complaint(model)


def test_an_index_may_name_safetensors_only(model: Path) -> None:
    """Any other file would be opened by pickle."""
    names = list(load_file(model / WEIGHTS))
    torch.save(load_file(model / WEIGHTS), model / "part.bin")
    (model / WEIGHTS).rename(model / PART)
    for target in ("part.bin", "../part.safetensors", "/etc/passwd"):
        (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, target)}))
        assert f"names {target}, and weights are read from *.safetensors beside it only" in complaint(model)
    (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, PART)}))
    open_policy(str(model))
    (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "a.safetensors")}))
    assert "names a.safetensors, which is not there" in complaint(model)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": 3}}', '{"weight_map": {}}']
)
def test_an_index_that_maps_nothing_is_named(model: Path, text: str) -> None:
    (model / WEIGHTS).rename(model / PART)
    (model / INDEX).write_text(text)
    assert INDEX in complaint(model)


def test_the_index_of_a_model_of_the_hub_is_looked_at(model: Path, tmp_path: Path) -> None:
    """A model folder as the hub's cache holds it, whose index names a pickle."""
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / ("0" * 40)
    snapshot.parent.mkdir(parents=True)
    model.rename(snapshot)
    (snapshot / WEIGHTS).rename(snapshot / "part.bin")
    (snapshot / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"lm_head.weight": "part.bin"}}))
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    code = "from backsight.policies.opening import open_policy; open_policy('owner/name')"
    environment = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert "names part.bin, and weights are read from *.safetensors beside it only" in done.stderr


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"<html>", (10).to_bytes(8, "little") + b"[" * 10])
def test_weights_that_are_no_safetensors_are_named(model: Path, content: bytes) -> None:
    (model / WEIGHTS).write_bytes(content)
    assert "is damaged" in complaint(model)


@pytest.mark.parametrize("name", [CONFIG, "tokenizer.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("text", ["null", "[]", "3", "{", "[" * 100_000])
def test_whatever_a_library_throws_at_a_file_is_one_line(model: Path, name: str, text: str) -> None:
    (model / name).write_text(text)
    assert complaint(model).startswith(f"policy: {model}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"num_hidden_layers": 10**9},
            "config.json asks for num_hidden_layers=1000000000, and its files hold 21 weights",
        ),
        ({"num_hidden_layers": 0}, "says num_hidden_layers=0"),
        ({"hidden_size": 10**6}, "weights, and its files hold far fewer"),
        ({"hidden_size": 10**30}, "cannot be loaded as a causal_lm model"),
        ({"vocab_size": 300}, "has the shape [258, 32] in its files and [300, 32] by config.json"),
        ({"num_attention_heads": 0}, "ZeroDivisionError"),
        ({"hidden_size": "a"}, "hidden_size"),
        ({"architectures": [3]}, "cannot be opened: AttributeError"),
    ],
)
def test_a_configuration_that_its_files_cannot_fill_is_named(model: Path, values: dict[str, Any], message: str) -> None:
    change(model / CONFIG, **values)
    assert message in complaint(model)


def test_a_classifier_without_its_body_is_refused(tmp_path: Path) -> None:
    """Its head may be fresh, but a body drawn at random would be trained without a word."""
    tiny_classifier(("bad", "good")).save(tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    name = next(each for each in tensors if "layer.0" in each)
    save_file({key: value for key, value in tensors.items() if key != name}, tmp_path / WEIGHTS, {"format": "pt"})
    with pytest.raises(ModelError, match="has no weights for .*layer.0.*give a whole model"):
        open_policy(str(tmp_path), labels=("bad", "good"))


@pytest.mark.parametrize("damage", ["tokenizer", "end"])
def test_tokens_that_the_model_does_not_have_are_named(model: Path, damage: str) -> None:
    if damage == "end":
        for token in (10**6, -1, "a", {}):
            change(model / "generation_config.json", eos_token_id=[token])
            assert f"has no token {token!r}, only 258" in complaint(model)
    else:
        fields = json.loads((model / "tokenizer.json").read_text())
        fields["model"]["vocab"] += [["Ġzebra", -1.0]]
        (model / "tokenizer.json").write_text(json.dumps(fields))
        policy = open_policy(str(model))
        with pytest.raises(ModelError, match="has no token 258, only 258"):
            policy.prompt_tokens("a zebra")


def test_a_template_that_fails_is_named(model: Path) -> None:
    policy = open_policy(str(model))
    policy.tokenizer.chat_template = "{{ messages[9].content.nothing }}"
    with pytest.raises(DataError, match="the model's chat template refuses it "):
        policy.prompt_tokens([{"role": "user", "content": "a"}])


def test_weights_that_are_too_large_to_compute_with_are_refused(model: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    tensors["lm_head.weight"].fill_(3e38)
    save_file(tensors, model / WEIGHTS, metadata={"format": "pt"})
    assert "gives numbers that are not finite; its weights are too large" in complaint(model)


def test_a_pipe_in_a_model_folder_is_not_waited_for(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    os.mkfifo(model / "tokenizer.json")
    assert "is no file; take it out of the model folder" in complaint(model)


def test_a_pipe_in_an_adapter_is_not_waited_for(model: Path) -> None:
    (model.parent / "adapter").mkdir()
    (model.parent / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model)}))
    os.mkfifo(model.parent / "adapter" / "adapter_model.safetensors")
    assert "is no file; take it out of the model folder" in complaint(model.parent / "adapter")


def test_layers_that_a_configuration_leaves_out_are_named(model: Path) -> None:
    change(model / CONFIG, num_hidden_layers=1)
    assert "config.json leaves out layers that its files hold, such as model.layers.1." in complaint(model)


@pytest.mark.parametrize("end", [".weight_scale_inv", ".weight_scale", ".SCB", ".scales"])
def test_scales_of_weights_that_nobody_would_apply_are_named(model: Path, end: str) -> None:
    name = "model.layers.0.mlp.up_proj"
    tensors = load_file(model / WEIGHTS)
    save_file({**tensors, name + end: torch.ones(1)}, model / WEIGHTS, metadata={"format": "pt"})
    assert f"its weights are quantized ({name}{end}), and config.json does not say how" in complaint(model)


def test_another_head_beside_a_model_is_left_out(model: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    save_file({**tensors, "score.weight": torch.ones(1, 32)}, model / WEIGHTS, metadata={"format": "pt"})
    open_policy(str(model))


def test_a_model_that_could_not_be_saved_is_refused(model: Path) -> None:
    change(model / CONFIG, output_attentions=True)
    assert "output_attentions" in complaint(model)
