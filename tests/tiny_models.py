"""Language models small enough for tests: random weights, a tokenizer with one token a word or byte."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from backsight.policies.causal_lm import CausalLMPolicy

END, PADDING = "<end>", "<pad>"

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
ARCHITECTURES: dict[str, Any] = {
    "llama": lambda v: LlamaConfig(vocab_size=v, num_key_value_heads=1, **SIZES),
    "qwen3": lambda v: Qwen3Config(vocab_size=v, num_key_value_heads=1, head_dim=16, **SIZES),
    "gemma2": lambda v: Gemma2Config(vocab_size=v, num_key_value_heads=1, head_dim=16, sliding_window=8, **SIZES),
    "gpt2": lambda v: GPT2Config(vocab_size=v, n_embd=32, n_layer=2, n_head=2, n_positions=128),
}


def tiny_tokenizer(words: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """Every byte is a token, and so is every one of the words with a space before it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [(END, 0.0), (PADDING, 0.0), *((byte, -9.0) for byte in alphabet), *(("Ġ" + word, -3.0) for word in words)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END, PADDING])
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
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


def tiny_policy(architecture: str = "llama", words: tuple[str, ...] = (), seed: int = 0) -> CausalLMPolicy:
    """A policy that has learnt nothing, with sharp opinions: mistakes show better than in a uniform one."""
    tokenizer = tiny_tokenizer(words)
    torch.manual_seed(seed)
    config = ARCHITECTURES[architecture](len(tokenizer))
    config.eos_token_id, config.bos_token_id, config.pad_token_id = 0, 0, 1
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
    return CausalLMPolicy(model, tokenizer)
