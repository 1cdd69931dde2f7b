"""Damaged model folders: configurations, tokenizers, weights, indices, adapters, and files that are something else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.campaign.cases import Case
from benchmarks.campaign.kit import MODELS, SMALL, copy
from benchmarks.campaign.odd_values import JSON_VALUES, bend, bend_bytes

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
HUGE = (0, -1, 10**6, 10**9, 10**18, 10**30)

Damage = Callable[[Path], None]


def models(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield damaged model folders, first known kinds of damage, then drawn ones."""
    draw = random.Random(f"models {seed}")
    for name, damage, is_fine in _known():
        yield _case(kit, "causal", name, damage, is_fine)
    for number in range(count):
        model = draw.choice(MODELS)
        name, damage = _drawn(kit / model, draw)
        yield _case(kit, model, f"{number}: {name}", damage, trains=number % 4 == 0)


def _case(kit: Path, model: str, name: str, damage: Damage, is_fine: bool | None = None, trains: bool = False) -> Case:
    def write(folder: Path) -> None:
        copy(kit, "d.jsonl", model)(folder)
        damage(folder / model)
        if model == "adapter":
            _point_to(kit, folder / model)

    words = ["evaluate", "sentiment", "data=d.jsonl", f"policy={model}", *SMALL]
    if trains:
        words = ["train", *words[1:], "stop={max_steps: 1, max_seconds: 10}"]
    return Case("models", f"{model}: {name}", words, write, is_fine)


def _point_to(kit: Path, folder: Path) -> None:
    """Let an adapter that still names its base name the kit's."""
    place = folder / "adapter_config.json"
    try:
        fields = json.loads(place.read_text())
        if isinstance(fields.get("base_model_name_or_path"), str) and "causal" in fields["base_model_name_or_path"]:
            place.write_text(json.dumps({**fields, "base_model_name_or_path": str(kit / "causal")}))
    except (OSError, ValueError, AttributeError):
        return


def _drawn(model: Path, draw: random.Random) -> tuple[str, Damage]:
    files = sorted(path.name for path in model.iterdir())
    name = draw.choice([*files, "config.json", "config.json", "tokenizer.json"])
    if name not in files:
        name = draw.choice(files)
    data = (model / name).read_bytes()
    if name.endswith(".safetensors"):
        return _drawn_weights(name, data, draw)
    if name.endswith(".json") and draw.random() < 0.8:
        changed = bend(json.loads(data), draw, draw.choice((1, 1, 1, 3)))
        return f"{name} bent", _write(name, json.dumps(changed).encode())
    return f"{name} bytes", _write(name, bend_bytes(data, draw))


def _drawn_weights(name: str, data: bytes, draw: random.Random) -> tuple[str, Damage]:
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    match draw.randrange(4):
        case 0:
            return f"{name} bytes", _write(name, bend_bytes(data, draw))
        case 1:
            size = draw.choice((0, 1, length - 1, length + 1, 10**6, 2**40, 2**63, 2**64 - 1))
            return f"{name} header length {size}", _write(name, size.to_bytes(8, "little") + data[8:])
        case 2:
            key = draw.choice([each for each in header if each != "__metadata__"])
            field = draw.choice(("dtype", "shape", "data_offsets"))
            header[key][field] = _odd_entry(field, draw)
            return f"{name} {key}.{field}={header[key][field]}", _write(name, _pack(header, body))
        case _:
            return f"{name} header bent", _write(name, _pack(bend(header, draw), body))


def _odd_entry(field: str, draw: random.Random) -> Any:
    if field == "dtype":
        return draw.choice(("F64", "F16", "BF16", "I8", "BOOL", "F8_E4M3", "X", "", None, 3))
    return draw.choice(([], [0], [1], [2, 3], [10**9, 10**9], [-1], [0, 0], [0, 10**12], [5, 1], *JSON_VALUES))


def _pack(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _write(name: str, data: bytes) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return damage


def _known() -> Iterator[tuple[str, Damage, bool | None]]:
    yield "whole", lambda folder: None, True
    yield from _known_weights()
    yield from _known_indices()
    yield from _known_places()
    for field in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"):
        for value in HUGE:
            yield f"{field}={value}", _set("config.json", **{field: value}), False
    for field in ("max_position_embeddings", "head_dim", "num_key_value_heads"):
        for value in HUGE:
            yield f"{field}={value}", _set("config.json", **{field: value}), None
    code = {"AutoModelForCausalLM": "code.Model", "AutoConfig": "code.Config", "AutoTokenizer": ["code.T", None]}
    yield "code of its own", _set("config.json", auto_map=code, model_type="ours"), False
    yield "tokenizer's own code", _set("tokenizer_config.json", auto_map=code, tokenizer_class="Ours"), None
    for text in ("{{", "{% for %}", "{{ messages[99].content }}", "{{ raise_exception('no') }}", "{{ 1 / 0 }}", ""):
        yield f"template {text}", _write("chat_template.jinja", text.encode()), None
    yield "no end", _set("tokenizer_config.json", eos_token=None), None


def _known_weights() -> Iterator[tuple[str, Damage, bool | None]]:
    for value in ("nan", "inf", "-inf"):
        yield f"a weight of {value}", _change(lambda weight, value=value: weight.fill_(float(value))), False
        yield f"one number of {value}", _change(lambda weight, value=value: _poke(weight, float(value))), False
    yield "weights of 3e38", _change(lambda weight: weight.fill_(3e38)), None
    yield "weights of 0", _change(lambda weight: weight.zero_()), None
    yield "weights of integers", _change(lambda weight: weight.to(torch.int64)), None
    yield "weights of float16", _change(lambda weight: weight.half()), None
    yield "weights of complex numbers", _change(lambda weight: weight.to(torch.complex64)), None
    yield "weights turned", _change(lambda weight: weight.t().contiguous() if weight.dim() == 2 else weight), None
    yield "weights flattened", _change(lambda weight: weight.flatten()), False
    yield "no tensors", lambda folder: save_file({}, folder / WEIGHTS), False
    yield "empty weights", _write(WEIGHTS, b""), False
    yield "a pointer of Git LFS", _write(WEIGHTS, b"version https://git-lfs.github.com/spec/v1\nsize 9\n"), False
    yield "a web page", _write(WEIGHTS, b"<html>404</html>"), False


def _known_indices() -> Iterator[tuple[str, Damage, bool | None]]:
    names = {"binary": "model.bin", "outside": "../secret.safetensors", "absolute": "/etc/passwd", "none": None}
    for name, target in {**names, "missing": "model-00001-of-00002.safetensors", "number": 3, "nested": ["a"]}.items():
        yield f"index: {name}", _index(target), None if name == "missing" else False
    for text in (b"", b"[]", b"{}", b'{"weight_map": 3}', b'{"weight_map": {}}', b"\xff", b'{"weight_map": null}'):
        yield f"index {text!r}", _alone(INDEX, text), False
    yield "a pickle", _pickle("pytorch_model.bin"), False
    yield "a pickle by an index", _pickled_index, False


def _known_places() -> Iterator[tuple[str, Damage, bool | None]]:
    names = ("config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json", "generation_config.json")
    for name in names:
        needed = False if name in ("config.json", WEIGHTS) else None
        yield f"{name} missing", _remove(name), needed
        yield f"{name} empty", _write(name, b""), needed
        yield f"{name} a folder", _folder(name), needed
        yield f"{name} a loop of links", _loop(name), needed
        for text in (b"null", b"[]", b"3", b'"a"', b"{", b"\xff\xfe", b"[" * 100_000, b"{}"):
            yield f"{name} {text[:9]!r}", _write(name, text), needed


def _set(name: str, **values: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return damage


def _change(change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        tensors = {name: change(weight.clone()) for name, weight in load_file(folder / WEIGHTS).items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return damage


def _poke(weight: torch.Tensor, value: float) -> torch.Tensor:
    weight.view(-1)[-1] = value
    return weight


def _alone(name: str, data: bytes) -> Damage:
    def damage(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
        (folder / name).write_bytes(data)

    return damage


def _index(target: Any) -> Damage:
    def damage(folder: Path) -> None:
        names = list(load_file(folder / WEIGHTS))
        mapping = dict.fromkeys(names, "model-00001-of-00001.safetensors") | {names[0]: target}
        _alone(INDEX, json.dumps({"metadata": {}, "weight_map": mapping}).encode())(folder)

    return damage


def _pickle(name: str) -> Damage:
    def damage(folder: Path) -> None:
        torch.save(load_file(folder / WEIGHTS), folder / name)
        (folder / WEIGHTS).unlink()

    return damage


def _pickled_index(folder: Path) -> None:
    names = list(load_file(folder / WEIGHTS))
    torch.save(load_file(folder / WEIGHTS), folder / "part.bin")
    (folder / WEIGHTS).rename(folder / "other.safetensors")
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, "part.bin")}))


def _remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink(missing_ok=True)


def _folder(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return damage


def _loop(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(name)

    return damage
