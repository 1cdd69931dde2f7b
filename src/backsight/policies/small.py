"""Small models with random weights, and tokenizers for them, for tests, examples and benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

END, PADDING = "<end>", "<pad>"
SPACE = "\u0120"
"""Character by which byte-level tokens write a space."""
WORD = r"[\w-]+|[^\w\s]"
"""Regular expression of a word: words and numbers with their hyphens, and each punctuation mark."""
RARE, COMMON = -9.0, -3.0
"""Log-probabilities of a byte and of a word, which make a whole word one token."""

CONFIGS: Mapping[str, str] = {
    "bart": "BartConfig",
    "bert": "BertConfig",
    "distilbert": "DistilBertConfig",
    "gemma2": "Gemma2Config",
    "gemma3": "Gemma3TextConfig",
    "gpt2": "GPT2Config",
    "llama": "LlamaConfig",
    "mistral": "MistralConfig",
    "modernbert": "ModernBertConfig",
    "mt5": "MT5Config",
    "phi3": "Phi3Config",
    "qwen3": "Qwen3Config",
    "smollm3": "SmolLM3Config",
    "t5": "T5Config",
}
"""Architectures by name, with the class of their configuration in transformers."""
ENCODER_DECODERS, ENCODERS = ("bart", "mt5", "t5"), ("bert", "distilbert", "modernbert")


def make_small_model(
    tokenizer: PreTrainedTokenizerFast, architecture: str = "llama", *, seed: int | None = 0, **shape: Any
) -> Any:
    """Make a model with random weights in float32, ready for sampling.

    Args:
        tokenizer: the tokenizer whose vocabulary and special tokens the model gets.
        architecture: a name in `CONFIGS`.
        seed: the seed of the weights, which leaves the global generator alone; None draws from the global generator.
        shape: further fields of the architecture's configuration, by their names in transformers.
    """
    fields = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = getattr(transformers, CONFIGS[architecture])(**{**fields, **shape})
    loader = transformers.AutoModelForCausalLM
    if architecture in ENCODER_DECODERS:
        loader = transformers.AutoModelForSeq2SeqLM
    elif architecture in ENCODERS:
        loader = transformers.AutoModelForSequenceClassification
    with nullcontext() if seed is None else torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        return loader.from_config(config).float().eval()


def make_byte_tokenizer(
    words: Iterable[str] | Mapping[str, float] = (),
    template: str | None = f"{END} $A",
    *,
    end: str = END,
    padding: str = PADDING,
    rare: float = RARE,
    **settings: Any,
) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for every byte, so that any text has tokens, and one for each of some words.

    Args:
        words: words that are one token behind a space; or pieces as they stand, with their log-probabilities.
        template: what stands around a prompt (``$A``); None puts nothing around it.
        end, padding: the special tokens, which get the ids 0 and 1.
        rare: the log-probability of a byte.
        settings: further arguments of transformers' tokenizer.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = list(words.items()) if isinstance(words, Mapping) else [(SPACE + word, COMMON) for word in words]
    special = [(end, 0.0), (padding, 0.0)]
    tokenizer = Tokenizer(models.Unigram([*special, *((byte, rare) for byte in alphabet), *pieces], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([end, padding])
    if template is not None:
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(end, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=end,
        eos_token=end,
        pad_token=padding,
        clean_up_tokenization_spaces=False,
        **settings,
    )


def make_word_tokenizer(words: Iterable[str], pattern: str = WORD, *, end: str = END) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for each of the words.

    A text with any other word is an error, since no model could have learnt what it means.

    Args:
        words: the vocabulary.
        pattern: a regular expression of a word; what lies between words is dropped.
        end: the token that ends a text. It pads as well, so that decoding a completion leaves out no other token.
    """
    vocabulary = {word: token for token, word in enumerate([end, *sorted(set(words) - {end})])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=end, clean_up_tokenization_spaces=False
    )
