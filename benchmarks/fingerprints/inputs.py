"""The small models and data files of the fixed runs, always the same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    BertConfig,
    LlamaConfig,
    PreTrainedTokenizerFast,
    T5Config,
)

END, PADDING = "<end>", "<pad>"
WORDS = ("good", "bad", "a", "film", "ist", "is", "the", "der")
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
T5_SIZES = {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2}
ROWS = range(120)


def make_models(folder: Path) -> None:
    """Save a decoder, an encoder-decoder and a classifier with random weights."""
    begins, ends = make_tokenizer(f"{END} $A"), make_tokenizer(f"$A {END}")
    size = len(begins)
    llama = LlamaConfig(
        vocab_size=size, max_position_embeddings=1024, eos_token_id=0, bos_token_id=0, pad_token_id=1, **SIZES
    )
    t5 = T5Config(vocab_size=size, eos_token_id=0, pad_token_id=1, decoder_start_token_id=1, **T5_SIZES)
    bert = BertConfig(vocab_size=size, max_position_embeddings=128, num_labels=2, pad_token_id=1, **SIZES)
    kinds: dict[str, tuple[Any, Any, PreTrainedTokenizerFast]] = {
        "llama": (AutoModelForCausalLM, llama, begins),
        "t5": (AutoModelForSeq2SeqLM, t5, ends),
        "bert": (AutoModelForSequenceClassification, bert, begins),
    }
    for name, (kind, config, tokenizer) in kinds.items():
        torch.manual_seed(0)
        kind.from_config(config).float().save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def make_tokenizer(template: str) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for each byte and for each of a few words."""
    bytes_ = [(byte, -9.0) for byte in sorted(pre_tokenizers.ByteLevel.alphabet())]
    pieces = [(END, 0.0), (PADDING, 0.0), *bytes_, *(("Ġ" + word, -3.0) for word in WORDS)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END, PADDING])
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(END, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=PADDING, clean_up_tokenization_spaces=False
    )


def make_data(folder: Path) -> None:
    """Write rows for each preset that learns from files."""
    folder.mkdir()
    question, answer = {"role": "user", "content": "is the film good"}, {"role": "assistant", "content": "a good film"}
    rated = [{**answer, "reward": 1.0}, {"role": "user", "content": "no"}]
    rated.append({**answer, "content": "bad", "reward": -1.0})
    files: dict[str, list[dict[str, Any]]] = {
        "translation": [{"source": f"the film {n} is good", "target": f"der film {n} ist gut"} for n in ROWS],
        "sentiment": [
            {"text": f"a {'good' if n % 3 else 'bad'} film {n}", "label": "yes" if n % 3 else "no"} for n in ROWS
        ],
        "summarization": [
            {"document": f"the film {n} is good. a film is a film {n}.", "summary": f"film {n} is good"} for n in ROWS
        ],
        "dialogue": [
            {"messages": [{"role": "user", "content": f"is film {n} good"}, answer, question, answer]} for n in ROWS
        ],
        "logs": [{"messages": _logged(n, rated, answer)} for n in ROWS],
    }
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _logged(number: int, rated: list[dict[str, Any]], answer: dict[str, Any]) -> list[dict[str, Any]]:
    corrected = {**answer, "correction": f"good {number}", "feedback": "say the number"}
    asked = [{"role": "user", "content": text} for text in (f"say {number}", f"{number}?")]
    return [asked[0], *rated, asked[1], corrected]
