"""What the tasks of the hindsight benchmark share: a tiny model with one token a word, and splits of items."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from transformers import PreTrainedTokenizerFast

from backsight.errors import DataError, nearest
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.small import make_small_model, make_word_tokenizer
from backsight.tasks.base import Item, PromptTask
from backsight.types import Feedback, Sampling

WORD = r"\([A-Z]\)|[\w-]+|[^\w\s]"
"""What a token is: options as ``(A)``, words and numbers with their hyphens, and each punctuation mark. Line breaks are
none."""
MAX_LENGTH = 512

Question = tuple[str, str]
"""A prompt and its gold answer."""


def collect_words(texts: Iterable[str]) -> set[str]:
    """Return what a tokenizer for these texts has to know."""
    return {word for text in set(texts) for word in re.findall(WORD, text)}


@dataclass(frozen=True, slots=True)
class Sizes:
    """A model of 0.2 million parameters, the words' own not counted."""

    hidden_size: int = 96
    intermediate_size: int = 256
    num_hidden_layers: int = 2
    num_attention_heads: int = 4


def make_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token a word; a text with any other word is an error."""
    return make_word_tokenizer(words, WORD)


def make_learner(words: Iterable[str], sizes: Sizes, seed: int) -> CausalLMPolicy:
    """Make a model in the shape of Llama that has learnt nothing."""
    tokenizer = make_tokenizer(words)
    shape = asdict(sizes) | {"max_position_embeddings": MAX_LENGTH, "tie_word_embeddings": True}
    return CausalLMPolicy(make_small_model(tokenizer, seed=seed, **shape), tokenizer)


class GeneratedTask(PromptTask):
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
        texts = [*(item.prompt for item in items), *(item.target or "" for item in items), *self.extra_words]
        return collect_words(texts)

    def items(self, split: str) -> Sequence[Item]:
        if split not in self._splits:
            raise DataError("split", split, nearest(split, self._splits))
        return self._splits[split]

    def relabel_prompt(self, item: Item, completion: str, seed: int) -> str | None:
        prompt = self.rewrite(item.prompt, completion, random.Random(seed))
        return None if prompt in self._held_out else prompt

    def rewrite(self, prompt: str, completion: str, rng: random.Random) -> str | None:
        """Change the prompt so that the completion answers it in full; None when the task knows no such change."""
        return None


def compare_symbols(name: str, asked: Sequence[str], written: Sequence[str], correction: str | None = None) -> Feedback:
    """Return feedback that rewards an answer only when all its symbols are right."""
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


def draw_distinct(
    draw: Callable[[random.Random], Question], count: int, rng: random.Random, besides: Iterable[str] = ()
) -> list[Question]:
    """Draw questions with `count` different prompts, none of those `besides`; fewer where 50 draws for each are not
    enough."""
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


def make_items(split: str, questions: Iterable[Question]) -> list[Item]:
    return [Item(f"{split}-{number}", prompt, target) for number, (prompt, target) in enumerate(questions)]
