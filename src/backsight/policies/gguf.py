"""GGUF files: each is converted once to a model folder in float32, which lies in the user's cache.

This is the only file that imports gguf. The layout is that of
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; transformers knows how each architecture is written in it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from filelock import FileLock

from backsight.disk import disk_errors, whole_folder
from backsight.errors import ConfigError, ModelError, border, nearest
from backsight.policies.quiet import quiet

ENDING = ".gguf"
ORIGIN = "gguf.json"
"""File in a converted folder that says which file it was made from, and how the weights were stored there."""
CACHE = "BACKSIGHT_CACHE"
"""Environment variable with the folder in which converted models are kept."""
FLOATS = ("F64", "F32", "F16", "BF16")
"""Types of weights that are not quantized."""


def convert(file: str, base_model: str | None = None) -> str:
    """Return the model folder that was made from a GGUF file; it is made now, if that was not done before.

    `base_model` is the hub id of the model in the file, for its card, where the file does not say.

    Raises:
        ConfigError: when the package gguf is not installed.
        ModelError: when the file is damaged, or transformers does not read its architecture.
        RunFolderError: when the cache cannot be written.
    """
    path = Path(file)
    if importlib.util.find_spec("gguf") is None:
        raise ConfigError("policy", file, "reading it needs the package gguf; pip install gguf")
    with border(lambda reason: ModelError("policy", file, f"cannot be read ({reason}); name a GGUF file")):
        if not path.is_file():
            raise ModelError("policy", file, "there is no such file; name a GGUF file")
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    folder = cache_folder() / f"{path.stem}-{digest[:12]}"
    remedy = f"make room, or set the environment variable {CACHE} to another folder"
    with disk_errors(folder, remedy):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))  # another process may be converting the same file
        with lock:
            if not folder.is_dir():
                with whole_folder(folder, remedy) as place:
                    _write(path, place, base_model)
    return str(folder)


def cache_folder() -> Path:
    """Return the folder in which converted models are kept."""
    if named := os.environ.get(CACHE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "backsight"


def storage_of(folder: str) -> str | None:
    """Return in a sentence how the weights of a converted folder were stored; None for any other folder."""
    file = Path(folder) / ORIGIN
    if not file.is_file():
        return None
    origin = json.loads(file.read_text(encoding="utf-8"))
    name, types = origin["file"], origin["types"]
    if all(each in FLOATS for each in types):
        return f"{name} holds its weights as {', '.join(types)}; they are trained in float32"
    return f"{name} holds rounded weights ({', '.join(types)}); they are trained in float32, from these values"


def _write(file: Path, folder: Path, base_model: str | None) -> None:
    """Write what a GGUF file holds as a model folder: weights, configuration, tokenizer, chat template and licence.

    Raises:
        ModelError: when it holds no model that can be read.
    """
    import transformers
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    metadata, types = _read_header(file)
    architecture = metadata.get("general.architecture", "none")
    names = {each.replace("-", "_") for each in (architecture, architecture.replace("moe", "_moe"))}
    if not names & set(GGUF_SUPPORTED_ARCHITECTURES):
        known = nearest(architecture, set(GGUF_SUPPORTED_ARCHITECTURES) - {"general", "tokenizer"})
        raise ModelError("policy", file, f"transformers does not read the architecture {architecture!r}; {known}")
    print(f"policy: {file.name} is converted, this once", file=sys.stderr, flush=True)
    with (
        border(lambda reason: ModelError("policy", file, f"cannot be converted ({reason}); take another file")),
        quiet(),
    ):
        model, tokenizer = _load(transformers, file)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    origin = {"file": file.name, "types": types}
    (folder / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(file.name, metadata, types, base_model), encoding="utf-8")


def _load(transformers: Any, file: Path) -> tuple[Any, Any]:
    """Load the model in float32, as if it had never been quantized, and its tokenizer."""
    import torch

    place: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    config = transformers.AutoConfig.from_pretrained(**place)
    is_encoder_decoder = getattr(config, "is_encoder_decoder", False)
    loader = transformers.AutoModelForSeq2SeqLM if is_encoder_decoder else transformers.AutoModelForCausalLM
    read = loader.from_pretrained(**place, dtype=torch.float32)
    settings = read.config.to_dict()
    settings.pop("quantization_config", None)  # transformers saves no model that has one of GGUF
    model = type(read)(type(read.config).from_dict(settings))
    model.load_state_dict(read.state_dict())
    return model, transformers.AutoTokenizer.from_pretrained(**place)


def _read_header(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return the texts of a file's metadata by key, and the types of its weights, the most frequent first.

    Raises:
        ModelError: when the file is no GGUF file, or is cut short.
    """
    from gguf import GGUFReader

    def make_error(reason: str) -> ModelError:
        return ModelError("policy", file, f"is no whole GGUF file ({reason}); take it again from where it came")

    with border(make_error):
        reader = GGUFReader(file)
        end = max((int(each.data_offset + each.n_bytes) for each in reader.tensors), default=0)
        if end == 0 or end > file.stat().st_size:
            raise make_error("it is cut short")
        texts = {key: field.contents() for key, field in reader.fields.items() if key.startswith("general.")}
        types = Counter(each.tensor_type.name for each in reader.tensors)
    return {key: text for key, text in texts.items() if isinstance(text, str)}, [
        name for name, _ in types.most_common()
    ]


def _card(name: str, metadata: dict[str, str], types: list[str], base_model: str | None) -> str:
    """Return the model card of a converted folder, with licence and base as the hub reads them."""
    known = {"license": metadata.get("general.license", "unknown"), "base_model": base_model}
    lines = [f"{key}: {json.dumps(value)}" for key, value in known.items() if value is not None]
    title, head = metadata.get("general.name", name), "\n".join(["---", *lines, "---", ""])
    return f"{head}# {title}\n\nConverted by backsight from `{name}` (weights stored as {', '.join(types)}).\n"
