"""Policies from a folder or a hub id: `open_policy` makes the kind of policy that fits what lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from backsight.errors import ModelError, border
from backsight.policies import adapters, folder
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.quiet import quiet
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.text import TextPolicy

KINDS: Mapping[str, type[TextPolicy]] = {
    policy.kind: policy for policy in (CausalLMPolicy, Seq2SeqLMPolicy, ClassifierPolicy)
}

REMEDY = "; take it again from where it came, or another model"


def open_policy(
    path: str,
    *,
    labels: Sequence[str] | None = (),
    trust_remote_code: bool = False,
    adapter: AdapterConfig | None = None,
) -> TextPolicy:
    """Open a language model, decoder-only or encoder-decoder, or an encoder-only classifier, as its configuration says.

    `labels` are the answers that the task allows, if it lists them; None: there is no task, and a classifier has labels
    of its own. An encoder without a head for them gets a fresh one, the same in every run. If `path` is the folder of
    an adapter, the model that it names is loaded and the adapter is put on; if not, `adapter` says whether to put a
    fresh one on.

    Raises:
        ModelError: when nothing can be loaded from `path`, when it is a classifier and the task has no labels or others
            than the model's, or when it is an adapter for another model.
        ConfigError: when the adapter that is asked for cannot be put on; see `backsight.policies.adapters`.
    """
    with border(lambda reason: ModelError("policy", path, f"cannot be opened: {reason}{REMEDY}")):
        base = adapters.base_of(path)
        config = load_config(base, trust_remote_code)
        kind, settings = kind_of(config), adapters.quantization(adapter)
        if kind == "classifier":
            settings |= label_settings(path, config, labels)
        model = load_model(base, kind, trust_remote_code, **settings)
        if base != path:
            adapters.load(model, path)
        if adapter is not None:
            adapters.put_on(model, adapter)
        beside = (Path(path) / "tokenizer_config.json").is_file()  # an adapter may come without
        return KINDS[kind](model, load_tokenizer(path if beside else base, trust_remote_code))


def kind_of(config: Any) -> Kind:
    """Return the kind of a model, by the class its weights were saved from, or else by its type in transformers."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    saved_as = (getattr(config, "architectures", None) or [""])[0]
    if saved_as.endswith("ForSequenceClassification"):
        return "classifier"
    if saved_as.endswith(("ForCausalLM", "LMHeadModel")):
        return "causal_lm"
    if getattr(config, "is_encoder_decoder", False):
        return "seq2seq_lm"
    return "classifier" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "causal_lm"


def label_settings(path: str, config: Any, labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the labels that the configuration of a classifier has to be given; none when its head has the task's own.

    Raises:
        ModelError: when the task has no labels, or others than the head.
    """
    is_classifier = (config.architectures or [""])[0].endswith("ForSequenceClassification")
    if labels is None and is_classifier:
        return {}
    if not labels:
        remedy = "is an encoder that chooses a label, and this task wants text; use preset sentiment, or another model"
        raise ModelError("policy", path, remedy)
    own = [str(name) for name in (config.id2label or {}).values()]
    if is_classifier and {name.casefold() for name in own} == {label.casefold() for label in labels}:
        return {}
    if is_classifier and not all(name.startswith("LABEL_") for name in own):
        remedy = f"its labels are {', '.join(own)}, the task's {', '.join(labels)}; rename them in one of the two"
        raise ModelError("policy", path, remedy)
    if is_classifier and len(own) != len(labels):
        remedy = f"it has {len(own)} labels, the task {len(labels)}: {', '.join(labels)}; take a model without a head"
        raise ModelError("policy", path, remedy)
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        "num_labels": len(labels),
    }


Kind = Literal["causal_lm", "seq2seq_lm", "classifier"]


def load_config(path: str, trust_remote_code: bool) -> Any:
    """Load the configuration of a model.

    Raises:
        ModelError: when there is no such folder, or no configuration or safetensors in it.
    """
    import transformers

    folder.check_folder(path)
    what = "has no configuration that loads" if Path(path).is_dir() else "is no folder here, and no model of the hub"
    with border(lambda reason: ModelError("policy", path, f"{what}: {reason}{REMEDY}")), quiet():
        config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
        folder.check_size(path, config)
    return config


def loader_of(kind: Kind) -> Any:
    """Return the class of transformers that loads models of this kind."""
    import transformers

    return {
        "causal_lm": transformers.AutoModelForCausalLM,
        "seq2seq_lm": transformers.AutoModelForSeq2SeqLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }[kind]


def load_model(path: str, kind: Kind, trust_remote_code: bool, **settings: Any) -> Any:
    """Load a model in float32, with weights from safetensors only, on the GPU where there is one.

    Weights that a classifier lacks, such as the head of a bare encoder, are drawn from one seed.

    Raises:
        ModelError: when it cannot be loaded as a model of this kind, or a weight is missing, has another shape than the
            configuration says, or is not finite.
    """
    loader = loader_of(kind)
    with (
        border(lambda reason: ModelError("policy", path, f"cannot be loaded as a {kind} model: {reason}{REMEDY}")),
        quiet(),
    ):
        _check_on_paper(path, loader, trust_remote_code, settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, found = loader.from_pretrained(
                path,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, by name
                **settings,
            )
        if torch.cuda.is_available() and "quantization_config" not in settings:  # what is in four bits lies there
            model.to("cuda")
        folder.check_loaded(path, model, found, may_be_fresh=kind == "classifier")
        folder.check_answers(path, model.eval())
        if hasattr(model.config, "validate"):  # transformers checks some settings only when it saves the model
            model.config.validate()
    return model


def _check_on_paper(path: str, loader: Any, trust_remote_code: bool, settings: Mapping[str, Any]) -> None:
    """Raise `ModelError` when files cannot hold what the configuration says, before memory is asked for."""
    import transformers

    if not Path(path).is_dir():
        index = transformers.utils.cached_file(path, folder.INDEX, _raise_exceptions_for_missing_entries=False)
        if index is not None:
            folder.check_index(Path(index))
    if not Path(path).is_dir() or "quantization_config" in settings:
        return
    config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code, **settings)
    with torch.device("meta"):
        folder.check_shapes(path, loader.from_config(config, trust_remote_code=trust_remote_code))


def load_tokenizer(path: str, trust_remote_code: bool) -> Any:
    """Load the tokenizer that lies beside the model.

    Raises:
        ModelError: when there is none that loads.
    """
    import transformers

    with border(lambda reason: ModelError("policy", path, f"has no tokenizer that loads: {reason}{REMEDY}")), quiet():
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    # the policy checks lengths itself, with a remedy; this warning would come before that
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer
