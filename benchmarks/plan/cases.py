"""The configurations that the benchmark of plans goes through, and the models and rows that they need."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from backsight.policies.small import END, make_byte_tokenizer, make_small_model

SYLLABLES = [first + vowel for first in "bdfgklmnprstv" for vowel in "aeiou"]
ROWS = 64
LABELS = ("good", "bad", "unclear")
SHORT, LONG = {"max_completion_length": 16}, {"max_completion_length": 96}
LORA = {"adapter": {"name": "lora", "r": 16}}
FULL: Mapping[str, Any] = {"adapter": None}
SMOLLM2 = "smollm2"


def _llama(width: int, layers: int) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": 3 * width, "num_hidden_layers": layers}
    return {**sizes, "num_attention_heads": width // 32, "num_key_value_heads": max(1, width // 64)}


def _t5(width: int, layers: int) -> dict[str, Any]:
    sizes = {"d_model": width, "d_kv": 32, "d_ff": 4 * width, "num_layers": layers, "num_heads": width // 32}
    return {**sizes, "decoder_start_token_id": 1}


def _bert(width: int, layers: int) -> dict[str, Any]:
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers}
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {label: place for place, label in enumerate(LABELS)}}
    return {**sizes, **labels, "num_attention_heads": width // 32, "max_position_embeddings": 256}


MODELS: Mapping[str, tuple[str, int, dict[str, Any]]] = {
    "decoder 1 M": ("llama", 700, _llama(128, 4)),
    "decoder 7 M": ("llama", 3000, _llama(256, 6)),
    "decoder 30 M": ("llama", 8000, _llama(512, 7)),
    "encoder-decoder 2 M": ("t5", 700, _t5(128, 3)),
    "encoder-decoder 12 M": ("t5", 3000, _t5(256, 5)),
    "encoder-decoder 60 M": ("t5", 8000, _t5(512, 7)),
    "encoder 1 M": ("bert", 700, _bert(128, 4)),
    "encoder 15 M": ("bert", 3000, _bert(384, 7)),
    "encoder 90 M": ("bert", 8000, _bert(768, 12)),
}
"""Models with random weights: the architecture, the number of words in the vocabulary, and the shape."""


@dataclass(frozen=True, slots=True)
class Case:
    """A run that is planned and then begun."""

    model: str
    preset: str
    settings: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What tells it from the others, in words."""
        own = self.settings
        how = "LoRA" if own.get("adapter") else "all weights"
        sizes = f"{own['max_completion_length']} tokens, {own['prompts_per_step']} prompts"
        return f"{self.model}, {own['hindsight']}, {how}, {sizes}"


def _on_rows(model: str, hindsight: str, prompts: int, *more: Mapping[str, Any]) -> Case:
    settings: dict[str, Any] = {"hindsight": hindsight, "prompts_per_step": prompts, "num_generations": 8}
    for each in more:
        settings |= each
    return Case(model, "sentiment" if model.startswith("encoder ") else "translation", settings)


CASES = (
    _on_rows("decoder 1 M", "outcome", 8, FULL, SHORT),
    _on_rows("decoder 1 M", "outcome", 16, FULL, LONG),
    _on_rows("decoder 1 M", "self_distill", 8, FULL, SHORT),
    _on_rows("decoder 1 M", "gold_anchor", 32, LORA, SHORT),
    _on_rows("decoder 7 M", "outcome", 16, FULL, LONG, {"beta": 0.02}),
    _on_rows("decoder 7 M", "self_distill", 8, FULL, LONG),
    _on_rows("decoder 7 M", "gold_anchor", 8, LORA, SHORT),
    _on_rows("decoder 7 M", "supervised", 32, FULL, SHORT),
    _on_rows("decoder 30 M", "outcome", 8, FULL, SHORT, {"keep_best": True, "eval_steps": 2}),
    _on_rows("decoder 30 M", "outcome", 8, LORA, LONG),
    _on_rows("decoder 30 M", "gold_anchor", 4, FULL, LONG),
    _on_rows("decoder 30 M", "self_distill", 4, LORA, SHORT),
    _on_rows("encoder-decoder 2 M", "outcome", 8, FULL, SHORT),
    _on_rows("encoder-decoder 2 M", "outcome", 16, LORA, LONG),
    _on_rows("encoder-decoder 12 M", "gold_anchor", 8, FULL, SHORT),
    _on_rows("encoder-decoder 12 M", "self_distill", 4, FULL, LONG),
    _on_rows("encoder-decoder 60 M", "outcome", 4, FULL, SHORT, {"beta": 0.02}),
    _on_rows("encoder-decoder 60 M", "supervised", 16, LORA, SHORT),
    _on_rows("encoder 1 M", "outcome", 32, FULL, SHORT),
    _on_rows("encoder 15 M", "gold_anchor", 16, FULL, SHORT),
    _on_rows("encoder 15 M", "outcome", 32, LORA, SHORT),
    _on_rows("encoder 90 M", "outcome", 16, FULL, SHORT),
    _on_rows("encoder 90 M", "supervised", 32, LORA, SHORT),
    Case(
        SMOLLM2, "instructions", {"hindsight": "relabel", "prompts_per_step": 2, "num_generations": 8, **FULL, **SHORT}
    ),
    Case(
        SMOLLM2, "instructions", {"hindsight": "outcome", "prompts_per_step": 4, "num_generations": 8, **LORA, **SHORT}
    ),
    Case(
        SMOLLM2, "instructions", {"hindsight": "relabel", "prompts_per_step": 2, "num_generations": 8, **LORA, **LONG}
    ),
)
QUICK = tuple(each for each in CASES if each.model in ("decoder 1 M", "encoder 1 M", "encoder-decoder 2 M"))[:5]


def words_of(case: Case, folder: Path) -> list[str]:
    """Return the words of the command line for a case, after its model and its rows were made in the folder."""
    policy = case.model if case.model == SMOLLM2 else str(make_model(case.model, folder))
    words = [case.preset, f"policy={policy}", "eval_items=8", "learning_rate=1e-5"]
    if case.model != SMOLLM2:
        words.append(f"data={make_rows(case.preset, folder)}")
    words += [f"{name}={json.dumps(value)}" for name, value in case.settings.items()]
    return [*words, "stop.max_steps=6"]


def make_model(name: str, folder: Path) -> Path:
    """Make a model in a folder, unless it is there."""
    architecture, count, shape = MODELS[name]
    place = folder / name.replace(" ", "-")
    if not (place / "config.json").exists():
        tokenizer = _tokenizer(count, f"$A {END}" if architecture == "t5" else f"{END} $A")
        make_small_model(tokenizer, architecture, **shape).save_pretrained(place)
        tokenizer.save_pretrained(place)
    return place


def _tokenizer(count: int, template: str) -> PreTrainedTokenizerFast:
    return make_byte_tokenizer(list(_words(count)), template)


def _words(count: int) -> Iterator[str]:
    for number in range(count):
        yield "".join(SYLLABLES[(number // len(SYLLABLES) ** place) % len(SYLLABLES)] for place in range(3))


def make_rows(preset: str, folder: Path) -> Path:
    """Write rows of random words for a preset, unless they are there."""
    path = folder / f"{preset}.jsonl"
    if not path.exists():
        chosen, known = random.Random(0), list(_words(700))
        rows = []
        for number in range(ROWS):
            text = " ".join(chosen.choices(known, k=chosen.randint(8, 40)))
            target = " ".join(chosen.choices(known, k=8))
            labelled = {"text": text, "label": LABELS[number % len(LABELS)]}
            rows.append(labelled if preset == "sentiment" else {"source": text, "target": target})
        path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path
