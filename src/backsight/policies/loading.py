"""Load models and tokenizers in the Hugging Face layout, from a folder or the hub, without running foreign code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from backsight.errors import ModelError

Kind = Literal["causal_lm", "seq2seq_lm", "classifier"]


def load_config(path: str, trust_remote_code: bool) -> Any:
    """What a model says of itself.

    Raises:
        ModelError: no such folder, or no configuration or safetensors in it.
    """
    import transformers

    _check_folder(path)
    try:
        return transformers.AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        is_here = Path(path).is_dir()
        what = "has no configuration that loads" if is_here else "is no folder here, and the hub gives no such model"
        raise ModelError("policy", path, f"{what}: {_first_line(error)}") from error


def load_model(path: str, kind: Kind, trust_remote_code: bool, **settings: Any) -> Any:
    """A model in float32, weights from safetensors only. Those of a classifier that are missing there, as the head of
    a bare encoder is, are drawn from one seed.

    Raises:
        ModelError: it cannot be loaded as a model of this kind, or is a language model that lacks some of its weights.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()  # a small model flashes by, and the terminal belongs to the run
    loaders = {
        "causal_lm": transformers.AutoModelForCausalLM,
        "seq2seq_lm": transformers.AutoModelForSeq2SeqLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, loaded = loaders[kind].from_pretrained(
                path,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                **settings,
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("policy", path, f"cannot be loaded as a {kind} model: {_first_line(error)}") from error
    if kind != "classifier" and (missing := sorted(loaded["missing_keys"])):
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError("policy", path, f"has no weights for {missing[0]}{others}; give a whole language model")
    return model


def load_tokenizer(path: str, trust_remote_code: bool) -> Any:
    """The tokenizer that lies beside the model.

    Raises:
        ModelError: there is none.
    """
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError("policy", path, f"has no tokenizer that loads: {_first_line(error)}") from error
    # lengths are checked where they matter, with a remedy; this warning would come before that
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def _check_folder(path: str) -> None:
    """A folder that lacks its parts is named as such, before a hub is asked for it."""
    folder = Path(path)
    looks_like_a_path = path.startswith((".", "/", "~")) or path.count("/") != 1
    if not folder.is_dir():
        if looks_like_a_path:
            raise ModelError("policy", path, "no such folder; give a model folder, a hub id (owner/name) or 'pocket'")
        return
    if not (folder / "config.json").is_file():
        raise ModelError("policy", path, "the folder has no config.json; give one written by save_pretrained")
    if not any(folder.glob("*.safetensors")):
        raise ModelError("policy", path, "the folder has no weights (*.safetensors); save it with save_pretrained")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
