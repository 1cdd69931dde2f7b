"""The base of the worlds of real data: a small model from nothing that has read the plain texts of a domain.

Tensors: N rows, B rows of a batch, T tokens of a row.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from benchmarks.shared.base_model import VOCABULARY_SIZE, make_base_model, train_tokenizer

ROW_TOKENS = 64
BATCH_ROWS = 32
LEARNING_RATE = 2e-3


def build_base(texts: Sequence[str], asked: Sequence[str], folder: Path, steps: int, context: int) -> None:
    """Leave a model that has read the texts in the folder, unless it lies there already.

    It reads `context` tokens. `asked` are prompts with their answers: the tokenizer is made for them, and nothing else
    is learnt from them here.
    """
    if folder.exists():
        return
    torch.manual_seed(0)
    tokenizer = train_tokenizer(asked)
    model = make_base_model(tokenizer, context, vocab_size=VOCABULARY_SIZE)
    loss = _train(model, _pack(tokenizer, texts), steps)
    print(f"  base: {model.num_parameters():,} parameters, {loss:.2f} nats a token", flush=True)
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    model.save_pretrained(draft)
    tokenizer.save_pretrained(draft)
    draft.rename(folder)


def _train(model: Any, rows_NT: torch.Tensor, steps: int) -> float:
    """Learn to predict the next token; return the loss of the last step."""
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


def _pack(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> torch.Tensor:
    """(N, T) Put all texts end to end, an end-of-text after each, and cut them into rows."""
    stream = [token for tokens in tokenizer(list(texts))["input_ids"] for token in (*tokens, tokenizer.eos_token_id)]
    num_rows = len(stream) // ROW_TOKENS
    return torch.tensor(stream[: num_rows * ROW_TOKENS]).view(num_rows, ROW_TOKENS)
