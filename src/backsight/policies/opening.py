"""From a folder or a hub id to the policy that fits what lies there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight.errors import ModelError
from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.loading import Kind, load_config, load_model, load_tokenizer
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.text import TextPolicy

KINDS: Mapping[Kind, type[TextPolicy]] = {
    "causal_lm": CausalLMPolicy,
    "seq2seq_lm": Seq2SeqLMPolicy,
    "classifier": ClassifierPolicy,
}


def open_policy(
    path: str,
    *,
    labels: Sequence[str] = (),
    trust_remote_code: bool = False,
    adapter: AdapterConfig | None = None,
) -> TextPolicy:
    """A language model, decoder-only or encoder-decoder, or an encoder-only classifier, as its configuration says.

    `labels` are what an answer may be, where the task has such a set. An encoder without a head for them gets a fresh
    one, the same in every run. Where there is the folder of an adapter, the model that it names is loaded and the
    adapter put on it; where there is none, `adapter` says whether to put a fresh one on.

    Raises:
        ModelError: nothing loads there, or it is a classifier and the task has no labels, or others than the model's;
            it is an adapter for another model.
        ConfigError: the adapter that is asked for cannot be had; see `backsight.policies.adapters`.
    """
    base = adapters.base_of(path)
    config = load_config(base, trust_remote_code)
    kind, settings = kind_of(config), adapters.quantization(adapter)
    if kind == "classifier":
        settings |= _names(path, config, labels)
    model = load_model(base, kind, trust_remote_code, **settings)
    if base != path:
        adapters.load(model, path)
    if adapter is not None:
        adapters.put_on(model, adapter)
    beside = (Path(path) / "tokenizer_config.json").is_file()  # an adapter may come without
    return KINDS[kind](model, load_tokenizer(path if beside else base, trust_remote_code))


def kind_of(config: Any) -> Kind:
    """By the class that the weights were saved from; a bare body by what transformers makes of its type."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    saved_as = (getattr(config, "architectures", None) or [""])[0]
    if saved_as.endswith("ForSequenceClassification"):
        return "classifier"
    if saved_as.endswith(("ForCausalLM", "LMHeadModel")):
        return "causal_lm"
    if getattr(config, "is_encoder_decoder", False):
        return "seq2seq_lm"
    return "classifier" if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "causal_lm"


def _names(path: str, config: Any, labels: Sequence[str]) -> dict[str, Any]:
    """What the configuration of a classifier has to say of its labels.

    A head whose labels are the task's is kept as it is.
    """
    if not labels:
        remedy = "is an encoder that chooses a label, and this task wants text; use preset sentiment, or another model"
        raise ModelError("policy", path, remedy)
    own = [str(name) for name in (config.id2label or {}).values()]
    is_classifier = (config.architectures or [""])[0].endswith("ForSequenceClassification")
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
