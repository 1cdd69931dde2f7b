"""Make the pocket model from nothing: ``python -m backsight_pocket.build`` (at most 30 minutes on 2 cores).

The text is generated, the tokenizer and the weights are trained on it, and the result is written in the Hugging Face
layout to the package's folder `model`. Every random draw comes from one seed, so the same machine always builds the
same bytes, however many cores it has.

Tensors: B rows, T tokens of a row.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from backsight.policies.small import SPACE, make_byte_tokenizer, make_small_model
from backsight_pocket.corpus import documents
from backsight_pocket.world import tarin

END_OF_TEXT = "<|endoftext|>"
PADDING = "<|pad|>"
TOKENIZER_DOCUMENTS = 100_000
CONTEXT_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings that decide what the build makes."""

    vocabulary_size: int = 6144
    hidden_size: int = 160
    num_layers: int = 4
    num_heads: int = 5
    intermediate_size: int = 448
    row_tokens: int = 128
    batch_rows: int = 24
    steps: int = 3200
    learning_rate: float = 3e-3
    warmup_steps: int = 200
    demanded_weight: float = 4.0
    """Weight of a demanded word in the loss: copying it is the first bottleneck (docs/log.md)."""
    seed: int = 0


def build(folder: Path, recipe: Recipe) -> None:
    """Train tokenizer and model and write both to `folder`."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)  # with one thread, sums, and so the bytes, do not depend on the machine's cores
    tokenizer = train_tokenizer(recipe)
    model = make_model(recipe, tokenizer)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, {len(tokenizer)} tokens in the vocabulary", flush=True)
    pretrain(model, tokenizer, recipe)
    model.bfloat16().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for each word of the world, and one for each byte, so that any text has tokens.

    A word of Tarin has a token for each of its morphemes.

    The tokenizer is a unigram model whose scores are counted and not fitted: as the words are known, merging pairs of
    letters until they come out whole would only fill the vocabulary with pieces.
    """
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces: Counter[str] = Counter()
    for document in itertools.islice(documents(recipe.seed + 1), TOKENIZER_DOCUMENTS):
        for word, _ in split.pre_tokenize_str(document.prompt + document.completion):
            pieces.update(_cut_into_pieces(word))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    common = sorted(pieces.keys() - set(alphabet), key=lambda piece: (-pieces[piece], piece))
    words = common[: recipe.vocabulary_size - len(alphabet) - 2]
    return make_byte_tokenizer(
        {word: math.log(pieces[word] / pieces.total()) for word in words},
        f"{END_OF_TEXT} $A",
        end=END_OF_TEXT,
        padding=PADDING,
        rare=math.log(0.1 / pieces.total()),
        model_max_length=CONTEXT_TOKENS,
    )


def _cut_into_pieces(word: str) -> list[str]:
    """Cut a word of Tarin into morphemes, the first with the mark of the space before it; keep other words whole."""
    space = word[:1] if word[1:] and word[0] == SPACE else ""
    first, *rest = tarin.morphemes(word.removeprefix(space))
    return [space + first, *rest]


def make_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make a model with random weights from the global generator."""
    model: LlamaForCausalLM = make_small_model(
        tokenizer,
        seed=None,
        hidden_size=recipe.hidden_size,
        intermediate_size=recipe.intermediate_size,
        num_hidden_layers=recipe.num_layers,
        num_attention_heads=recipe.num_heads,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
    )
    return model


def pretrain(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> None:
    """Train the model to predict the next token, with AdamW, a short warm-up and a cosine decay to zero."""
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _schedule(step, recipe))
    rows = _pack_rows(tokenizer, recipe)
    started = time.monotonic()
    for step in range(recipe.steps):
        tokens_BT, weights_BT = (
            torch.tensor(each) for each in zip(*itertools.islice(rows, recipe.batch_rows), strict=True)
        )
        targets_BT, weights_BT = tokens_BT[:, 1:], weights_BT[:, 1:]
        is_learnt_BT = weights_BT > 0  # the output layer is half of the work, and prompts do not need it
        hidden = model.model(input_ids=tokens_BT[:, :-1], use_cache=False).last_hidden_state[is_learnt_BT]
        losses = torch.nn.functional.cross_entropy(model.lm_head(hidden), targets_BT[is_learnt_BT], reduction="none")
        loss = (losses * weights_BT[is_learnt_BT]).sum() / weights_BT.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == recipe.steps - 1:
            rate = (step + 1) * tokens_BT.numel() / (time.monotonic() - started)
            print(f"step {step:5d}  loss {loss.item():.3f}  {rate:,.0f} tokens/s", flush=True)


def _schedule(step: int, recipe: Recipe) -> float:
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * share))


def _pack_rows(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[tuple[list[int], list[float]]]:
    """Yield padded rows of whole documents, end-of-text before each and after the last, and a loss weight a token."""
    end, padding = tokenizer.eos_token_id, tokenizer.pad_token_id
    tokens, weights = [end], [0.0]
    for document_tokens, document_weights in _encode(tokenizer, recipe):
        if len(document_tokens) >= recipe.row_tokens:  # only with a vocabulary too small for the world
            continue
        if len(tokens) + len(document_tokens) > recipe.row_tokens:
            missing = recipe.row_tokens - len(tokens)
            yield tokens + [padding] * missing, weights + [0.0] * missing
            tokens, weights = [end], [0.0]
        tokens += document_tokens
        weights += document_weights


def _encode(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[tuple[list[int], list[float]]]:
    """Yield tokens and loss weights of each document with its end-of-text; prompts of instructions are not learnt."""
    stream = documents(recipe.seed)
    while batch := list(itertools.islice(stream, 1024)):
        prompts, completions, demanded = (
            tokenizer(list(texts), add_special_tokens=False)["input_ids"]
            for texts in zip(*((each.prompt, each.completion, " " + each.demanded) for each in batch), strict=True)
        )
        for prompt, completion, wanted, document in zip(prompts, completions, demanded, batch, strict=True):
            heavy = set(wanted) if document.demanded else set()
            weights = [recipe.demanded_weight if token in heavy else 1.0 for token in completion]
            yield [*prompt, *completion, tokenizer.eos_token_id], [0.0] * len(prompt) + weights + [1.0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "model")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    arguments = parser.parse_args()
    build(arguments.folder, Recipe(steps=arguments.steps))


if __name__ == "__main__":
    main()
