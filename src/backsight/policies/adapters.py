"""Adapters by `peft`. They are put into the layers of a model, which keeps its class, and saved in PEFT's layout."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from backsight.errors import ConfigError, ModelError, border, nearest
from backsight.policies.config import ALL_LINEAR, AdapterConfig
from backsight.policies.folder import check_finite, check_no_pipes, read_object
from backsight.policies.memory import load_tensors
from backsight.policies.merging import check_layers, merge_layers

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""Prefix of the names in PEFT's files, where the model is a part of PEFT's own class."""
BASE = "base_model_name_or_path"
NAME = "default"
"""Name by which PEFT keeps the one adapter of a model."""
OWN_WEIGHTS = "weights_before_the_adapter"
"""Name by which a model keeps those of its weights that its adapter replaced."""
REPEATABLE = ("pissa",)
"""Ways to begin an adapter that replace the weights beneath it, by the same ones each time it is put on."""
NEEDS_PEFT = ("alora_invocation_tokens", "arrow_config", "layer_replication", "monteclora_config")
"""Settings that PEFT's own class heeds while it computes, or that make another model of the base."""


def has_adapter(model: Any) -> bool:
    return hasattr(model, "peft_config")


def put_on(model: Any, config: AdapterConfig) -> None:
    """Put a fresh adapter on the model, unless it has one; from then on nothing else is trained.

    A fresh adapter changes no output yet. The head of a classifier, which may be fresh, is copied and trained as a
    whole.

    Raises:
        ConfigError: when a target is in no layer, when `peft` is missing, when the model has an adapter with other
            settings, or when `config.quantize` is set and the model is not in four bits.
    """
    peft = _peft("adapter", config.name)
    if config.quantize and not getattr(model, "is_loaded_in_4bit", False):
        raise ConfigError("adapter.quantize", True, "the model is loaded already; give its name instead")
    if has_adapter(model):
        _check_same(model.peft_config[NAME], config)
        return check_merges(model) if config.merge else None
    heads = _heads(model)
    targets = _targets(model, config, heads)
    adapter = peft.LoraConfig(
        r=config.r,
        lora_alpha=config.lora_alpha,
        use_dora=config.name == "dora",
        target_modules=targets,
        modules_to_save=heads or None,
        fan_in_fan_out=any(type(layer).__name__ == "Conv1D" for layer in model.modules()),
        task_type=_task_type(model),
    )
    setattr(adapter, BASE, _address(model.name_or_path))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # half of a fresh adapter is drawn at random, the same in every run
        peft.inject_adapter_in_model(adapter, model, NAME)


def base_of(path: str) -> str:
    """Return the base model that an adapter's folder names, or `path` itself if it holds no adapter or a whole model.

    Raises:
        ModelError: when the folder names no base model, or one that is not there, or holds a pipe or a device.
    """
    folder = Path(path)
    if folder.is_dir():
        check_no_pipes(folder)
    if not (folder / CONFIG_FILE).is_file() or (folder / "config.json").is_file():
        return path
    base = read_object(folder / CONFIG_FILE).get(BASE)
    if not base or not isinstance(base, str):
        raise ModelError("policy", path, f"names no model that the adapter is for; set {BASE} in its {CONFIG_FILE}")
    if not Path(base).is_dir() and (Path(base).is_absolute() or base.startswith(".")):
        remedy = f"is an adapter for {base}, which is not there; put it back, or set {BASE} in {CONFIG_FILE}"
        raise ModelError("policy", path, remedy)
    return base


def load(model: Any, path: str) -> None:
    """Put the adapter of a folder on the model, ready to be trained further.

    Raises:
        ModelError: when the adapter is damaged, or for another model.
        ConfigError: when `peft` is missing.
    """
    peft = _peft("policy", path)
    with border(lambda reason: ModelError("policy", path, f"holds no adapter that loads: {reason}")):
        adapter = peft.PeftConfig.from_pretrained(path)
        stored = load_tensors(Path(path) / WEIGHTS_FILE)
    check_finite(path, stored)
    tensors = {name.removeprefix(PREFIX): weight for name, weight in stored.items()}
    adapter.inference_mode = False
    for field in NEEDS_PEFT:
        if getattr(adapter, field, None):
            remedy = f"has {field}, which works in PEFT's own class alone; merge it into its model with PEFT"
            raise ModelError("policy", path, remedy)
    before = [(weight, _kept(weight), _sum_of_squares(weight)) for weight in model.parameters()]
    with border(lambda reason: _for_another(path, adapter, reason)):
        _inject(peft, adapter, model, path)
        unknown = peft.set_peft_model_state_dict(model, tensors).unexpected_keys
    if missing := sorted(_weights(model).keys() - tensors.keys()):
        raise _for_another(path, adapter, f"it has no {missing[0]}")
    if unknown:
        raise _for_another(path, adapter, f"the model has no {unknown[0]}")
    setattr(model, OWN_WEIGHTS, _changed(path, adapter, before))


def _inject(peft: Any, adapter: Any, model: Any, path: str) -> None:
    """Put an adapter on the layers of a model.

    Raises:
        ModelError: when adapters of this kind need a class around the model.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # they are about merging, which `merging` tries out
            peft.inject_adapter_in_model(adapter, model, NAME)
    except ValueError as error:
        if "does not support" not in str(error):
            raise
        kind = getattr(adapter.peft_type, "value", adapter.peft_type)
        remedy = f"is an adapter of the kind {kind}, which works in PEFT's own class alone; take LoRA or another"
        raise ModelError("policy", path, remedy) from error


def _changed(
    path: str, adapter: Any, before: list[tuple[nn.Parameter, torch.Tensor, float]]
) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Return the weights of the model that putting the adapter on has changed, each with what it was before.

    Raises:
        ModelError: when what they were is lost, or the adapter would not change them in the same way again.
    """
    changed = [(weight, own) for weight, own, size in before if _sum_of_squares(weight) != size]
    began = getattr(adapter, "init_lora_weights", True)
    is_lost = any(_sum_of_squares(own) != size for _, own, size in before)
    if is_lost or (began not in REPEATABLE and any(weight.dim() > 1 for weight, _ in changed)):
        remedy = f"begins with init_lora_weights={began}, which changes its model; merge it with PEFT, and give that"
        raise ModelError("policy", path, remedy)
    return changed


def _kept(weight: torch.Tensor) -> torch.Tensor:
    """Return what the weight is now: biases and the like are changed in place, matrices are replaced."""
    return weight.detach().clone() if weight.dim() < 2 else weight.detach()


def _sum_of_squares(weight: torch.Tensor) -> float:
    return float(weight.detach().double().square().sum())


def save(model: Any, folder: Path) -> None:
    """Save the adapter alone, with the name of its base model."""
    folder.mkdir(parents=True, exist_ok=True)
    # a copy of each, because a file holds no weight twice, as those of tied layers would be
    tensors = {PREFIX + name: weight.detach().clone().contiguous() for name, weight in _weights(model).items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    adapter = model.peft_config[NAME]
    if isinstance(adapter.target_modules, set):
        adapter.target_modules = sorted(adapter.target_modules)  # so that the same adapter always gives the same bytes
    adapter.save_pretrained(folder)


def switch_off(model: Any) -> None:
    """Switch the adapter off: from then on the model is its base, and has nothing to train."""
    for _, layer in adapted_layers(model):
        layer.enable_adapters(False)
    replaced = {id(weight): nn.Parameter(own.to(weight), requires_grad=False) for weight, own in own_weights(model)}
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if id(weight) in replaced:
                setattr(module, name, replaced[id(weight)])


def own_weights(model: Any) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Return the weights of the model that were changed when its adapter was put on, each with what it was before."""
    return getattr(model, OWN_WEIGHTS, [])


def merge(model: Any) -> None:
    """Add the adapter to the weights of the model, which computes the same and is a usual model again.

    Raises:
        ModelError: when the weights cannot take up the adapter.
    """
    merge_layers(model, list(adapted_layers(model)))


def check_merges(model: Any) -> None:
    """Check before training that the weights of the model can take up the adapter.

    Raises:
        ModelError: when they cannot.
    """
    check_layers(list(adapted_layers(model)))


def adapted_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the layers with an adapter, and those that are trained as a whole or in some rows, with their names."""
    if not has_adapter(model):
        return
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import AuxiliaryTrainingWrapper

    wrappers: list[str] = []
    for name, layer in model.named_modules():
        if isinstance(layer, BaseTunerLayer | AuxiliaryTrainingWrapper) and not name.startswith(tuple(wrappers)):
            yield name, layer
            if isinstance(layer, AuxiliaryTrainingWrapper):
                wrappers.append(name + ".")


def quantization(config: AdapterConfig | None) -> dict[str, Any]:
    """Return the arguments with which transformers loads a model in four bits; none when it is not to be quantized.

    Raises:
        ConfigError: when there is no NVIDIA GPU, or bitsandbytes is missing.
    """
    if config is None or not config.quantize:
        return {}
    if not torch.cuda.is_available():
        raise ConfigError("adapter.quantize", True, "needs an NVIDIA GPU, and there is none; leave it out")
    if find_spec("bitsandbytes") is None:
        raise ConfigError(
            "adapter.quantize", True, "bitsandbytes is not installed: pip install 'backsight[adapters,qlora]'"
        )
    import transformers

    four_bits = transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": four_bits}


def _peft(field: str, value: str) -> Any:
    try:
        import peft
    except ImportError as error:
        raise ConfigError(field, value, "peft is not installed: pip install 'backsight[adapters]'") from error
    return peft


def _weights(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights of the adapter by PEFT's names, without asking the hub whether the vocabulary has grown."""
    from peft import get_peft_model_state_dict

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it takes trained biases for damaged matrices
        weights: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return weights


def _heads(model: Any) -> list[str]:
    """Return the names of a classifier's head and of its pooler, which may both be fresh; none for a language model."""
    if model.get_output_embeddings() is not None:
        return []
    outside = [(name, part) for name, part in model.named_children() if part is not model.base_model]
    parts = [name for name, part in outside if list(part.parameters())]
    return [*parts, "pooler"] if getattr(model.base_model, "pooler", None) is not None else parts


def _task_type(model: Any) -> str:
    """Return PEFT's word for the kind of model."""
    if model.get_output_embeddings() is None:
        return "SEQ_CLS"
    return "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"


def _address(path: str) -> str | None:
    """Return where the base model is found again from any working directory."""
    return str(Path(path).resolve()) if Path(path).is_dir() and path else path or None


def _targets(model: Any, config: AdapterConfig, heads: list[str]) -> list[str]:
    """Return the ends of the names of the layers that get an adapter; each is the end of one name at least.

    "all-linear" is spelled out here, because PEFT would save it as the full names of the layers of this one model.
    """
    known = {
        name: layer
        for name, layer in model.named_modules()
        if (isinstance(layer, nn.Linear | nn.Embedding) or type(layer).__name__ == "Conv1D")
        and not set(heads) & set(name.split("."))
    }
    _check_targets(model, [each for each in config.target_modules if each != ALL_LINEAR], known)
    if ALL_LINEAR not in config.target_modules:
        return sorted(config.target_modules)
    output = model.get_output_embeddings()
    linear = {
        name.rpartition(".")[-1]
        for name, layer in known.items()
        if layer is not output and not isinstance(layer, nn.Embedding)
    }
    return sorted(linear | set(config.target_modules) - {ALL_LINEAR})


def _check_targets(model: Any, targets: list[str], known: dict[str, Any]) -> None:
    """Raise `ConfigError` for a target that names no layer, or one that shares its weight with another layer."""
    for target in targets:
        found = [layer for name, layer in known.items() if name == target or name.endswith("." + target)]
        if not found:
            names = {name.rpartition(".")[-1] for name in known}
            raise ConfigError("adapter.target_modules", target, f"no such layer; {nearest(target, names)}")
        if _is_tied(model) and any(layer.weight is model.get_input_embeddings().weight for layer in found):
            remedy = "is the same weight as another layer's, which would be left behind; leave it out"
            raise ConfigError("adapter.target_modules", target, remedy)


def _is_tied(model: Any) -> bool:
    outputs = model.get_output_embeddings()
    return outputs is not None and outputs.weight is model.get_input_embeddings().weight


def _check_same(own: Any, config: AdapterConfig) -> None:
    """Raise `ConfigError` when the adapter that the policy has is not the one of the settings."""
    name = "dora" if getattr(own, "use_dora", False) else "lora"
    for field, found in (
        ("name", name),
        ("r", getattr(own, "r", None)),
        ("lora_alpha", getattr(own, "lora_alpha", None)),
    ):
        if found != getattr(config, field):
            remedy = f"the policy has an adapter with {field}={found} already, and goes on with it; set it to that"
            raise ConfigError(f"adapter.{field}", getattr(config, field), remedy)


def _for_another(path: str, adapter: Any, detail: str) -> ModelError:
    base = getattr(adapter, BASE)
    return ModelError("policy", path, f"is an adapter for another model than {base}: {detail}")
