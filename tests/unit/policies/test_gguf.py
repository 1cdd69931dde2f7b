"""GGUF files: what they are converted to, that this is done once and whole, and what is wrong with some of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import metadata_load

from backsight.errors import ConfigError, ModelError
from backsight.policies import gguf as conversion
from backsight.policies.gguf import CACHE, convert, storage_of
from backsight.runs.start import load_policy, place_of_policy

gguf = pytest.importorskip("gguf", reason="pip install gguf")

WORDS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ċ", "th", "the"]
TEMPLATE = "{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
WIDTH, LAYERS, HEADS = 32, 2, 2


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_file(path: Path, architecture: str = "llama", *, as_half: bool = False) -> dict[str, np.ndarray]:
    """Write a tiny model as a GGUF file, and return its weights by their names there."""
    draw = np.random.default_rng(0)
    shapes = {"token_embd": (len(WORDS), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        block = {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,), "ffn_down": (WIDTH, 2 * WIDTH)}
        block |= {f"attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        block |= {f"ffn_{name}": (2 * WIDTH, WIDTH) for name in ("gate", "up")}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    weights = {f"{name}.weight": draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny: a model")
    writer.add_license("apache-2.0")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(WORDS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(WORDS)
    writer.add_token_types([3, 3, 3, *[1] * (len(WORDS) - 3)])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for name, weight in weights.items():
        is_matrix = weight.ndim == 2
        writer.add_tensor(name, weight.astype(np.float16) if as_half and is_matrix else weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def test_it_becomes_a_plain_model_in_float32(tmp_path: Path, cache: Path) -> None:
    weights = write_file(tmp_path / "tiny.gguf")
    folder = Path(convert(str(tmp_path / "tiny.gguf")))
    assert folder.parent == cache
    policy = load_policy(str(tmp_path / "tiny.gguf"))
    state = policy.module.state_dict()
    assert {weight.dtype for weight in state.values()} == {torch.float32}
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.layers.1.mlp.up_proj.weight": "blk.1.ffn_up.weight",
    }
    for name, there in names.items():
        assert np.array_equal(state[name].numpy(), weights[there]), name
    assert policy.tokenizer.decode(policy.prompt_tokens("the cat")) == "the cat"
    assert policy.tokenizer.chat_template == TEMPLATE
    assert policy.end_tokens == (2,) and policy.max_length == 64
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    policy.save(tmp_path / "saved")
    assert torch.equal(next(load_policy(str(tmp_path / "saved")).module.parameters()), next(policy.module.parameters()))


def test_it_is_converted_once_and_its_content_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_file(tmp_path / "tiny.gguf")
    first = convert(str(tmp_path / "tiny.gguf"))
    assert capsys.readouterr().err == "policy: tiny.gguf is converted, this once\n"
    assert convert(str(tmp_path / "tiny.gguf")) == first and capsys.readouterr().err == ""
    write_file(tmp_path / "tiny.gguf", as_half=True)
    assert convert(str(tmp_path / "tiny.gguf")) != first


def test_it_says_how_the_weights_were_stored(tmp_path: Path) -> None:
    write_file(tmp_path / "half.gguf", as_half=True)
    folder = place_of_policy(str(tmp_path / "half.gguf"))
    assert storage_of(folder) == "half.gguf holds its weights as F16, F32; they are trained in float32"
    assert storage_of(str(tmp_path)) is None
    assert metadata_load(Path(folder) / "README.md") == {"license": "apache-2.0"}


def test_rounded_weights_are_called_rounded(tmp_path: Path) -> None:
    (tmp_path / conversion.ORIGIN).write_text(json.dumps({"file": "a.gguf", "types": ["Q4_1", "F32"]}))
    said = "a.gguf holds rounded weights (Q4_1, F32); they are trained in float32, from these values"
    assert storage_of(str(tmp_path)) == said


def test_two_processes_that_convert_the_same_file_get_the_same_folder(tmp_path: Path, cache: Path) -> None:
    write_file(tmp_path / "tiny.gguf")
    code = f"from backsight.policies.gguf import convert; print(convert({str(tmp_path / 'tiny.gguf')!r}))"
    paths = os.pathsep.join(sys.path)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
        )
        for _ in range(2)
    ]
    places = [process.communicate(timeout=120)[0].strip() for process in started]
    assert places[0] == places[1] and Path(places[0]).is_dir()
    assert [each.name for each in cache.iterdir() if not each.name.endswith(".lock")] == [Path(places[0]).name]


def test_an_interrupted_conversion_leaves_nothing_half(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "tiny.gguf")

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_card", interrupt)
        with pytest.raises(KeyboardInterrupt):
            convert(str(tmp_path / "tiny.gguf"))
    assert [each for each in cache.iterdir() if each.is_dir()] == []
    assert load_policy(str(tmp_path / "tiny.gguf")).kind == "causal_lm"


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_file(path)
    whole = path.read_bytes()
    for length in (0, 3, 20, 600, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="is no whole GGUF file") as caught:
            convert(str(path))
        assert len(str(caught.value).splitlines()) == 1
    path.write_bytes(b"no model" * 1000)
    with pytest.raises(ModelError, match="is no whole GGUF file"):
        convert(str(path))


def test_an_architecture_that_nobody_knows_is_named(tmp_path: Path) -> None:
    write_file(tmp_path / "odd.gguf", "lama")
    with pytest.raises(ModelError, match="does not read the architecture 'lama'; did you mean 'llama'"):
        convert(str(tmp_path / "odd.gguf"))


def test_a_missing_file_and_a_missing_package_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="there is no such file"):
        load_policy(str(tmp_path / "none.gguf"))
    monkeypatch.setattr(conversion.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install gguf"):
        convert(str(tmp_path / "none.gguf"))
