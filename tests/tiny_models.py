"""Models small enough for tests: random weights, a tokenizer with one token a word or byte."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BartConfig,
    BertConfig,
    DistilBertConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    ModernBertConfig,
    MT5Config,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen3Config,
    SmolLM3Config,
    T5Config,
)

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy

END, PADDING = "<end>", "<pad>"

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
ARCHITECTURES: dict[str, Any] = {
    "llama": lambda v: LlamaConfig(vocab_size=v, num_key_value_heads=1, **SIZES),
    "qwen3": lambda v: Qwen3Config(vocab_size=v, num_key_value_heads=1, head_dim=16, **SIZES),
    "gemma2": lambda v: Gemma2Config(vocab_size=v, num_key_value_heads=1, head_dim=16, sliding_window=8, **SIZES),
    "gpt2": lambda v: GPT2Config(vocab_size=v, n_embd=32, n_layer=2, n_head=2, n_positions=128),
}
"""Decoder-only models that differ in what matters to everything: the unit tests run with each of them."""
WINDOW = 8
LAYER_TYPES = ["sliding_attention", "full_attention"]
FAMILIES: dict[str, Any] = {
    **ARCHITECTURES,
    "gemma3": lambda v: Gemma3TextConfig(
        vocab_size=v, num_key_value_heads=1, head_dim=16, sliding_window=WINDOW, layer_types=LAYER_TYPES, **SIZES
    ),
    "mistral": lambda v: MistralConfig(vocab_size=v, num_key_value_heads=1, sliding_window=WINDOW, **SIZES),
    "phi3": lambda v: Phi3Config(vocab_size=v, num_key_value_heads=1, pad_token_id=1, **SIZES),
    "smollm3": lambda v: SmolLM3Config(
        vocab_size=v, num_key_value_heads=1, pad_token_id=1, no_rope_layers=[1, 0], **SIZES
    ),
}
"""All decoder-only models: the contracts run with each of them."""

T5_SIZES = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
BART_SIZES = {
    f"{part}_{what}": size
    for part in ("encoder", "decoder")
    for what, size in {"layers": 2, "attention_heads": 2, "ffn_dim": 48}.items()
}
ENCODER_DECODERS: dict[str, Any] = {
    "t5": lambda v: T5Config(vocab_size=v, **T5_SIZES),
    "mt5": lambda v: MT5Config(vocab_size=v, **T5_SIZES),
    "bart": lambda v: BartConfig(vocab_size=v, d_model=32, max_position_embeddings=128, **BART_SIZES),
}

ENCODERS: dict[str, Any] = {
    "bert": lambda v: BertConfig(vocab_size=v, max_position_embeddings=64, **SIZES),
    "modernbert": lambda v: ModernBertConfig(vocab_size=v, max_position_embeddings=64, local_attention=WINDOW, **SIZES),
    "distilbert": lambda v: DistilBertConfig(
        vocab_size=v, max_position_embeddings=64, dim=32, hidden_dim=48, n_layers=2, n_heads=2
    ),
}
SHARPNESS = {"t5": 2.5, "mt5": 2.5, "bart": 12.0, "bert": 6.0, "modernbert": 1.6, "distilbert": 6.0}
"""What weights are multiplied by, so that choices are neither even nor certain."""


def tiny_tokenizer(words: tuple[str, ...] = (), template: str = f"{END} $A") -> PreTrainedTokenizerFast:
    """Every byte is a token, and so is every one of the words with a space before it. The template is for prompts."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [(END, 0.0), (PADDING, 0.0), *((byte, -9.0) for byte in alphabet), *(("Ġ" + word, -3.0) for word in words)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END, PADDING])
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(END, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False
    )


def learner(words: tuple[str, ...]) -> CausalLMPolicy:
    """A policy with the weights it is born with and room enough to learn something in seconds."""
    tokenizer = tiny_tokenizer(words)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=0, bos_token_id=0, pad_token_id=1, **sizes)
    return CausalLMPolicy(AutoModelForCausalLM.from_config(config).float().eval(), tokenizer)


def learning_seq2seq(words: tuple[str, ...]) -> Seq2SeqLMPolicy:
    """The same with an encoder and a decoder."""
    tokenizer = tiny_tokenizer(words, f"$A {END}")
    torch.manual_seed(0)
    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    config = T5Config(vocab_size=len(tokenizer), eos_token_id=0, pad_token_id=1, decoder_start_token_id=1, **sizes)
    return Seq2SeqLMPolicy(AutoModelForSeq2SeqLM.from_config(config).float().eval(), tokenizer)


def learning_classifier(words: tuple[str, ...], labels: tuple[str, ...]) -> ClassifierPolicy:
    """The same that chooses one of the labels."""
    tokenizer = tiny_tokenizer(words)
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=len(tokenizer), pad_token_id=1, id2label=dict(enumerate(labels)), **sizes)
    return ClassifierPolicy(AutoModelForSequenceClassification.from_config(config).float().eval(), tokenizer)


def tiny_policy(
    architecture: str = "llama", words: tuple[str, ...] = (), seed: int = 0, **settings: Any
) -> CausalLMPolicy:
    """A policy that has learnt nothing, with sharp opinions: mistakes show better than in a uniform one."""
    tokenizer = tiny_tokenizer(words)
    config = _configured(FAMILIES[architecture](len(tokenizer)), settings)
    return CausalLMPolicy(_sharp(AutoModelForCausalLM, config, 6.0, seed), tokenizer)


def tiny_seq2seq(
    architecture: str = "t5", words: tuple[str, ...] = (), seed: int = 0, **settings: Any
) -> Seq2SeqLMPolicy:
    """The same with an encoder that reads the prompt, its end marked, and a decoder that begins with padding.

    BART also is forced to begin with a token, and adds a bias to its logits.
    """
    tokenizer = tiny_tokenizer(words, f"$A {END}")
    config = _configured(ENCODER_DECODERS[architecture](len(tokenizer)), settings)
    model = _sharp(AutoModelForSeq2SeqLM, config, SHARPNESS[architecture], seed)
    model.generation_config.decoder_start_token_id = model.config.decoder_start_token_id = 1
    if architecture == "mt5":
        model.shared.weight.data.mul_(0.1)  # its head reads unscaled states with the same weights
    if architecture == "bart":
        model.generation_config.forced_bos_token_id = 5
        model.final_logits_bias.normal_()
    return Seq2SeqLMPolicy(model, tokenizer)


def tiny_classifier(labels: tuple[str, ...], architecture: str = "bert", seed: int = 0) -> ClassifierPolicy:
    """The same that chooses one of the labels."""
    tokenizer = tiny_tokenizer()
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}
    config = _configured(ENCODERS[architecture](len(tokenizer)), names)
    return ClassifierPolicy(
        _sharp(AutoModelForSequenceClassification, config, SHARPNESS[architecture], seed), tokenizer
    )


def _configured(config: Any, settings: dict[str, Any]) -> Any:
    special = {"eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 1}
    for name, value in {**special, **settings}.items():
        setattr(config, name, value)
    return config


def _sharp(kind: Any, config: Any, sharpness: float, seed: int) -> Any:
    torch.manual_seed(seed)
    model = kind.from_config(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(sharpness)
    return model
