"""Model folders: what is wrong with one, said before a library is asked to load it, and with what was loaded.

transformers opens whatever an index of weights names, by pickle where the name says so, builds whatever size a
configuration asks for, and reports other shapes in a table. Here each of these is one line.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backsight.errors import ModelError, border

CONFIG, GENERATION, WEIGHTS = "config.json", "generation_config.json", "model.safetensors"
INDEX = WEIGHTS + ".index.json"
SURPLUS = 16
"""Multiple of the stored numbers that a model may have: four-bit files hold fewer, and a head may be fresh."""
SMALL = 2**24
"""Number of weights up to which nobody asks where they come from."""
MOST_LAYERS = 1_000
"""Number of layers, beyond one for each stored weight, up to which a model is built to see."""
_NUMBER = re.compile(r"\.\d+\.")
_SCALES = re.compile(
    r"\.(SCB|g_idx|scales|qzeros)$|\.(weight|input|activation)_?(scale|zero_point|global_scale|absmax)"
)
"""Names of what quantized weights are multiplied with, beside them."""
_LAYERS = re.compile(r"(.*\.)?((num_)?(hidden_|encoder_|decoder_)?layers|n_layers?)")


def check_folder(path: str) -> None:
    """Check that a local path has a model's files, before a hub is asked for it.

    Raises:
        ModelError: when a file is missing or damaged, or its weights are not in safetensors.
    """
    folder = Path(path)
    if folder.is_dir():
        _check_files(path, folder)
    elif path.startswith((".", "/", "~")) or path.count("/") != 1:
        raise ModelError(
            "policy", path, "no such folder; give a model folder, a GGUF file, a hub id (owner/name) or 'smollm2'"
        )


def _check_files(path: str, folder: Path) -> None:
    """Raise `ModelError` when a file of a model folder is missing, damaged or none."""
    if not (folder / CONFIG).is_file():
        raise ModelError("policy", path, f"the folder has no {CONFIG}; give one written by save_pretrained")
    check_no_pipes(folder)
    for name in (CONFIG, GENERATION):
        if (folder / name).exists():  # transformers passes over the second if it is damaged
            read_object(folder / name)
    if not any(folder.glob("*.safetensors")):
        raise ModelError("policy", path, "the folder has no weights (*.safetensors); save it with save_pretrained")
    if (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file():
        _check_parts(folder / INDEX)


def check_no_pipes(folder: Path) -> None:
    """Check that everything in a folder is a file or a folder: a pipe or a device may never end.

    Raises:
        ModelError: when something is not.
    """
    for file in folder.iterdir():
        if file.exists() and not file.is_file() and not file.is_dir():
            raise ModelError("policy", file, "is no file; take it out of the model folder")


def _check_parts(index: Path) -> None:
    """Raise `ModelError` when a file that an index names is not there."""
    for name in check_index(index):
        if not (index.parent / name).is_file():
            raise ModelError("policy", index, f"names {name}, which is not there; put it back")


def check_index(index: Path) -> list[str]:
    """Return the files of an index of weights, which have to be safetensors beside it: other files can run code.

    Raises:
        ModelError: when they are not.
    """
    names = read_object(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise ModelError("policy", index, "maps no weights to files; save the model again with save_pretrained")
    files = sorted(set(names.values()))
    for name in files:
        if not name.endswith(".safetensors") or Path(name).name != name:
            raise ModelError("policy", index, f"names {name}, and weights are read from *.safetensors beside it only")
    return files


def check_size(path: str, config: Any) -> None:
    """Check that a configuration does not ask for far more layers than its files hold weights.

    Raises:
        ModelError: when it does, or a file of weights is damaged.
    """
    stored = _stored_shapes(Path(path))
    if stored is None:
        return
    for field, layers in _numbers(config.to_dict()):
        if _LAYERS.fullmatch(field) and layers > MOST_LAYERS + len(stored):
            remedy = f"{CONFIG} asks for {field}={layers}, and its files hold {len(stored)} weights; mend it"
            raise ModelError("policy", path, remedy)
    if getattr(config, "num_hidden_layers", 1) < 1:
        raise ModelError("policy", path, f"{CONFIG} says num_hidden_layers={config.num_hidden_layers}; mend it")


def check_shapes(path: str, model: nn.Module) -> None:
    """Check, on a model without memory, that its files can fill it.

    Raises:
        ModelError: when it has far more weights than they hold.
    """
    stored = _stored_shapes(Path(path))
    wanted = sum(weight.numel() for weight in model.parameters())
    if stored is not None and wanted > SMALL + SURPLUS * sum(math.prod(shape) for shape in stored.values()):
        raise ModelError("policy", path, f"{CONFIG} asks for {wanted:,} weights, and its files hold far fewer; mend it")


def check_loaded(path: str, model: nn.Module, found: Mapping[str, Any], *, may_be_fresh: bool) -> None:
    """Check that all weights came from the files, with the shapes of the configuration, and are numbers.

    `found` is what transformers says of the loading. With `may_be_fresh`, what stands on top of the body, a head or a
    pooler, may be missing.

    Raises:
        ModelError: when a weight is missing, has another shape, or is not finite, or files hold layers that the
            configuration leaves out, or scales of weights.
    """
    for name, stored, wanted in sorted(map(tuple, found["mismatched_keys"])):
        shapes = f"{list(stored)} in its files and {list(wanted)} by {CONFIG}"
        raise ModelError("policy", path, f"{name} has the shape {shapes}; mend one of them")
    _check_surplus(path, model, found["unexpected_keys"])
    body = getattr(model, "base_model_prefix", "") + "."
    missing = sorted(
        name for name in found["missing_keys"] if not may_be_fresh or (name.startswith(body) and "pooler" not in name)
    )
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        kind = "model" if may_be_fresh else "language model"
        raise ModelError("policy", path, f"has no weights for {missing[0]}{others}; give a whole {kind}")
    check_finite(path, dict(model.named_parameters()))


def _check_surplus(path: str, model: nn.Module, surplus: Iterable[str]) -> None:
    """Raise `ModelError` when what files hold beside the model's weights shows that these alone are another model.

    Other heads may lie beside a model, but no further layers, and nothing by which its own weights have to be scaled.
    """
    own = [name for name, _ in model.named_parameters()]
    kinds = {_NUMBER.sub(".#.", name) for name in own}
    for name in sorted(surplus):
        if _NUMBER.search(name) and _NUMBER.sub(".#.", name) in kinds:
            raise ModelError("policy", path, f"{CONFIG} leaves out layers that its files hold, such as {name}; mend it")
        part = name.rpartition(".")[0] + "."
        if any(each.startswith(part) for each in own) and _SCALES.search(name):
            remedy = f"its weights are quantized ({name}), and {CONFIG} does not say how; take it as it was before that"
            raise ModelError("policy", path, remedy)


@torch.no_grad()
def check_answers(path: str, model: Any) -> None:
    """Check that a model can read two tokens: some settings of a configuration matter only then.

    Raises:
        ModelError: when it fails, or what it says of them is not finite.
    """
    tokens_12 = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    read = {"decoder_input_ids": tokens_12} if model.config.is_encoder_decoder else {}
    if not bool(torch.isfinite(model(input_ids=tokens_12, **read).logits).all()):
        raise ModelError("policy", path, "gives numbers that are not finite; its weights are too large")


def check_finite(path: str, weights: Mapping[str, torch.Tensor]) -> None:
    """Check that no weight is infinite or not a number.

    Raises:
        ModelError: when one is.
    """
    for name, weight in weights.items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight.detach()).all()):
            raise ModelError("policy", path, f"{name} holds numbers that are not finite; take a model from before that")


def read_object(path: Path) -> dict[str, Any]:
    """Read a file with one JSON object.

    Raises:
        ModelError: when it holds something else.
    """
    with border(lambda reason: ModelError("policy", path, f"cannot be read ({reason}); save the model again")):
        fields = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(fields, dict):
        raise ModelError("policy", path, "holds no JSON object; save the model again with save_pretrained")
    return fields


def _stored_shapes(folder: Path) -> dict[str, list[int]] | None:
    """Return the shapes of all weights that lie in the folder; None when it is none, but a hub id."""
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        return None
    shapes: dict[str, list[int]] = {}
    for file in [folder / WEIGHTS] if (folder / WEIGHTS).is_file() else files:
        shapes |= _shapes_of(file)
    return shapes


def _shapes_of(file: Path) -> dict[str, list[int]]:
    """Read the head of a file of safetensors: a length, and a JSON object with the shape of each weight."""
    with border(lambda reason: ModelError("policy", file, f"is damaged ({reason}); copy it again")):
        with file.open("rb") as source:
            (length,) = struct.unpack("<Q", source.read(8))
            head = json.loads(source.read(min(length, file.stat().st_size)))
        return {name: [int(size) for size in entry["shape"]] for name, entry in head.items() if name != "__metadata__"}


def _numbers(fields: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield all whole numbers of a nested dictionary, with their dotted names."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield f"{prefix}{name}", value
