"""A small Llama from nothing: a byte-level tokenizer, and plain language modelling on the texts of a domain.

Tensors: N rows, B rows of a batch, T tokens of a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY_SIZE = 2048
ROW_TOKENS = 64
BATCH_ROWS = 32
LEARNING_RATE = 2e-3
END_OF_TEXT = "<|endoftext|>"
PADDING = "<|pad|>"


def build_base(texts: Sequence[str], asked: Sequence[str], folder: Path, steps: int, context: int) -> None:
    """Leave a model that has read the texts in the folder, unless it lies there already.

    It has about a million parameters and reads `context` tokens. `asked` are prompts with their answers: the tokenizer
    is made for them, and nothing else is learnt from them here.
    """
    if folder.exists():
        return
    torch.manual_seed(0)
    tokenizer = train_tokenizer(asked)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    loss = _train(model, _packed(tokenizer, texts), steps)
    print(f"  base: {model.num_parameters():,} parameters, {loss:.2f} nats a token", flush=True)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    model.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    draft.rename(folder)


def train_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any text has tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=PADDING)


def _train(model: LlamaForCausalLM, rows_NT: torch.Tensor, steps: int) -> float:
    """The loss of the last step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    last = 0.0
    for _ in range(steps):
        tokens_BT = rows_NT[torch.randint(len(rows_NT), (BATCH_ROWS,))]
        loss = model(input_ids=tokens_BT, labels=tokens_BT).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        last = loss.item()
    return last


def _packed(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> torch.Tensor:
    """(N, T) All texts end to end, an end-of-text after each, cut into rows."""
    stream = [token for tokens in tokenizer(list(texts))["input_ids"] for token in (*tokens, tokenizer.eos_token_id)]
    num_rows = len(stream) // ROW_TOKENS
    return torch.tensor(stream[: num_rows * ROW_TOKENS]).view(num_rows, ROW_TOKENS)
