"""Models small enough for tests: random weights, a tokenizer with one token a word or byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.small import END, make_byte_tokenizer, make_small_model

Shape = Mapping[str, Any]
"""Fields of an architecture's configuration."""

WINDOW = 8
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
LLAMA = {**SIZES, "num_key_value_heads": 1}
ARCHITECTURES: dict[str, Shape] = {
    "llama": LLAMA,
    "qwen3": {**LLAMA, "head_dim": 16},
    "gemma2": {**LLAMA, "head_dim": 16, "sliding_window": WINDOW},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128},
}
"""Decoder-only models that differ in what matters to everything: the unit tests run with each of them."""
LAYER_TYPES = ["sliding_attention", "full_attention"]
FAMILIES: dict[str, Shape] = {
    **ARCHITECTURES,
    "gemma3": {**LLAMA, "head_dim": 16, "sliding_window": WINDOW, "layer_types": LAYER_TYPES},
    "mistral": {**LLAMA, "sliding_window": WINDOW},
    "phi3": LLAMA,
    "smollm3": {**LLAMA, "no_rope_layers": [1, 0]},
}
"""All decoder-only models: the contracts run with each of them."""

T5 = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
BART_PARTS = {
    f"{part}_{what}": size
    for part in ("encoder", "decoder")
    for what, size in {"layers": 2, "attention_heads": 2, "ffn_dim": 48}.items()
}
ENCODER_DECODERS: dict[str, Shape] = {
    "t5": T5,
    "mt5": T5,
    "bart": {**BART_PARTS, "d_model": 32, "max_position_embeddings": 128},
}
ENCODERS: dict[str, Shape] = {
    "bert": {**SIZES, "max_position_embeddings": 64},
    "modernbert": {**SIZES, "max_position_embeddings": 64, "local_attention": WINDOW},
    "distilbert": {"max_position_embeddings": 64, "dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 2},
}
SHARPNESS = {"t5": 2.5, "mt5": 2.5, "bart": 12.0, "bert": 6.0, "modernbert": 1.6, "distilbert": 6.0}
"""What weights are multiplied by, so that choices are neither even nor certain."""

WIDE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}


def tiny_tokenizer(words: tuple[str, ...] = (), template: str = f"{END} $A") -> PreTrainedTokenizerFast:
    """Every byte is a token, and so is every one of the words with a space before it. The template is for prompts."""
    return make_byte_tokenizer(words, template)


def learner(words: tuple[str, ...]) -> CausalLMPolicy:
    """A policy with the weights it is born with and room enough to learn something in seconds."""
    tokenizer = tiny_tokenizer(words)
    return CausalLMPolicy(make_small_model(tokenizer, **WIDE), tokenizer)


def learning_seq2seq(words: tuple[str, ...]) -> Seq2SeqLMPolicy:
    """The same with an encoder and a decoder."""
    tokenizer = tiny_tokenizer(words, f"$A {END}")
    sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    return Seq2SeqLMPolicy(make_small_model(tokenizer, "t5", decoder_start_token_id=1, **sizes), tokenizer)


def learning_classifier(words: tuple[str, ...], labels: tuple[str, ...]) -> ClassifierPolicy:
    """The same that chooses one of the labels."""
    tokenizer = tiny_tokenizer(words)
    return ClassifierPolicy(make_small_model(tokenizer, "bert", **_named(labels), **WIDE), tokenizer)


def tiny_policy(
    architecture: str = "llama", words: tuple[str, ...] = (), seed: int = 0, **settings: Any
) -> CausalLMPolicy:
    """A policy that has learnt nothing, with sharp opinions: mistakes show better than in a uniform one."""
    tokenizer = tiny_tokenizer(words)
    model = _sharp(tokenizer, architecture, seed, {**FAMILIES[architecture], **settings})
    return CausalLMPolicy(model, tokenizer)


def tiny_seq2seq(
    architecture: str = "t5", words: tuple[str, ...] = (), seed: int = 0, **settings: Any
) -> Seq2SeqLMPolicy:
    """The same with an encoder that reads the prompt, its end marked, and a decoder that begins with padding.

    BART also is forced to begin with a token, and adds a bias to its logits.
    """
    tokenizer = tiny_tokenizer(words, f"$A {END}")
    shape = {**ENCODER_DECODERS[architecture], "decoder_start_token_id": 1, **settings}
    model = _sharp(tokenizer, architecture, seed, shape)
    if architecture == "mt5":
        model.shared.weight.data.mul_(0.1)  # its head reads unscaled states with the same weights
    if architecture == "bart":
        model.generation_config.forced_bos_token_id = 5
        model.final_logits_bias.normal_()
    return Seq2SeqLMPolicy(model, tokenizer)


def tiny_classifier(
    labels: tuple[str, ...], architecture: str = "bert", seed: int = 0, **settings: Any
) -> ClassifierPolicy:
    """The same that chooses one of the labels."""
    tokenizer = tiny_tokenizer()
    model = _sharp(tokenizer, architecture, seed, {**ENCODERS[architecture], **_named(labels), **settings})
    return ClassifierPolicy(model, tokenizer)


CHAT_TEMPLATE = (
    "{% for each in messages %}[{{ each.role }}] {{ each.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]:{% endif %}"
)


def reciting_policy(text: str, *, without_end: bool = False, template: str | None = CHAT_TEMPLATE) -> CausalLMPolicy:
    """A policy that answers every prompt with the text, whose bytes have to differ, once or without end.

    No layer adds anything: what follows a token depends on that token alone, by one direction for each. All tokens
    that are not in the text, such as the end of the prompt's last line, are followed by its beginning.
    """
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(tokens) == len(set(tokens)) < SIZES["hidden_size"]
    model = make_small_model(tokenizer, **LLAMA, tie_word_embeddings=False)
    read, written = model.get_input_embeddings().weight.data, model.get_output_embeddings().weight.data
    for layer in model.base_model.layers:
        layer.self_attn.o_proj.weight.data.zero_()
        layer.mlp.down_proj.weight.data.zero_()
    directions = torch.eye(SIZES["hidden_size"])
    read[:], written[:] = directions[-1], 0
    read[tokens] = directions[: len(tokens)]
    written[tokens[0]] = 10 * directions[-1]
    for token, follower in zip(
        tokens, [*tokens[1:], tokens[0] if without_end else tokenizer.eos_token_id], strict=True
    ):
        written[follower] += 10 * read[token]
    return CausalLMPolicy(model, tokenizer)


def _named(labels: tuple[str, ...]) -> Shape:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


def _sharp(tokenizer: PreTrainedTokenizerFast, architecture: str, seed: int, shape: Shape) -> Any:
    torch.manual_seed(seed)  # for the weights, and for what is drawn next: BART's bias
    model = make_small_model(tokenizer, architecture, seed=None, **shape)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(SHARPNESS.get(architecture, 6.0))
    return model
