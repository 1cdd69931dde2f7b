"""What the tasks of the hindsight benchmark share: a tiny model with one token a word, and splits of items."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from backsight.errors import DataError, nearest
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.tasks.base import Item, Task
from backsight.types import Feedback, Sampling

END = "<end>"
"""It pads as well: whatever else a completion holds is a word, so that its text hides nothing of its tokens."""
WORD = r"\([A-Z]\)|[\w-]+|[^\w\s]"
"""Options as ``(A)``, words and numbers with their hyphens, and each punctuation mark. Line breaks are no token."""
MAX_LENGTH = 512

Question = tuple[str, str]
"""A prompt and its gold answer."""


def words_of(texts: Iterable[str]) -> set[str]:
    """What a tokenizer for these texts has to know."""
    return {word for text in set(texts) for word in re.findall(WORD, text)}


@dataclass(frozen=True, slots=True)
class Sizes:
    """A model of 0.2 million parameters, the words' own not counted."""

    hidden_size: int = 96
    intermediate_size: int = 256
    num_hidden_layers: int = 2
    num_attention_heads: int = 4


def tiny_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """One token a word; a text with any other word is an error, since no model could have learnt what that means."""
    vocabulary = {word: token for token, word in enumerate([END, *sorted(set(words) - {END})])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, clean_up_tokenization_spaces=False
    )


def tiny_learner(words: Iterable[str], sizes: Sizes, seed: int) -> CausalLMPolicy:
    """A model in the shape of Llama that has learnt nothing."""
    tokenizer = tiny_tokenizer(words)
    shape: dict[str, Any] = asdict(sizes)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **shape,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CausalLMPolicy(LlamaForCausalLM(config), tokenizer)


class GeneratedTask(Task):
    """Splits of generated items, ``train`` first. What only other splits ask is never the result of relabelling."""

    sampling: Sampling
    """How completions are to be sampled: long enough for every answer."""
    extra_words: tuple[str, ...] = ()
    """Words of its feedback, and answers that no item of the splits may happen to have."""

    def __init__(self, splits: Mapping[str, Sequence[Item]]) -> None:
        self._splits = splits
        self.eval_splits = tuple(splits)[1:]
        evaluated = {item.prompt for split in self.eval_splits for item in splits[split]}
        self._held_out = evaluated - {item.prompt for item in splits[self.train_split]}

    @cached_property
    def words(self) -> set[str]:
        """The vocabulary of prompts, answers and feedback."""
        items = [item for items in self._splits.values() for item in items]
        return words_of([*(item.prompt for item in items), *(item.target or "" for item in items), *self.extra_words])

    def items(self, split: str) -> Sequence[Item]:
        if split not in self._splits:
            raise DataError("split", split, nearest(split, self._splits))
        return self._splits[split]

    def relabelled(self, item: Item, completion: str, seed: int) -> str | None:
        prompt = self.rewritten(item.prompt, completion, random.Random(seed))
        return None if prompt in self._held_out else prompt

    def rewritten(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        """The prompt, changed so that the completion answers it in full; None when the task knows no such change."""
        return None


def exact_feedback(name: str, asked: Sequence[str], written: Sequence[str], correction: str | None = None) -> Feedback:
    """All symbols right, or nothing is earned."""
    is_right = list(written) == list(asked)
    share = sum(one == other for one, other in zip(asked, written, strict=False)) / len(asked)
    return Feedback(
        rewards={"exact": float(is_right)},
        reward=float(is_right),
        success=is_right,
        achieved_share=share,
        correction=correction,
        sources=(name,),
    )


def distinct(
    draw: Callable[[random.Random], Question], count: int, rng: random.Random, besides: Iterable[str] = ()
) -> list[Question]:
    """Questions with `count` different prompts, none of those `besides`; fewer where it takes 50 draws for each."""
    taken = set(besides)
    found: list[Question] = []
    for _ in range(50 * count):
        if len(found) == count:
            break
        question = draw(rng)
        if question[0] not in taken:
            taken.add(question[0])
            found.append(question)
    return found


def items_of(split: str, questions: Iterable[Question]) -> list[Item]:
    return [Item(f"{split}-{number}", prompt, target) for number, (prompt, target) in enumerate(questions)]
