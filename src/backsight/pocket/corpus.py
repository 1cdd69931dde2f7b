"""What the pocket model is pretrained on: plain sentences, and instructions with a single constraint.

The model is to know every domain and the format and to manage one constraint, and nobody shows it a combination.
Which domains and combinations are trained is a matter of the fine-tuning (`instructions.py`), not of this.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from backsight.pocket import world
from backsight.pocket.constraints import KINDS, Sentence, draw
from backsight.pocket.instructions import prompt_of

INSTRUCTION_SHARE = 0.7
DOMAINS = (*world.DOMAINS, *world.HELD_OUT_DOMAINS)


@dataclass(frozen=True, slots=True)
class Document:
    """One text to pretrain on: a prompt (none for a plain sentence), what follows, and the word it demands."""

    prompt: str
    completion: str
    demanded: str = ""


def documents(seed: int) -> Iterator[Document]:
    """An endless, deterministic stream."""
    rng = random.Random(f"corpus {seed}")
    while True:
        yield _instruction(rng) if rng.random() < INSTRUCTION_SHARE else _plain(rng)


def _plain(rng: random.Random) -> Document:
    return Document("", " " + world.sentence(rng, rng.choice(DOMAINS)))


def _instruction(rng: random.Random) -> Document:
    kind = rng.choice(KINDS)
    while True:
        text = world.sentence(rng, rng.choice(DOMAINS))
        constraint = draw(kind, Sentence(text), (), rng)
        if constraint is not None:
            demanded = constraint.argument if kind in ("use", "start", "end") else ""
            return Document(prompt_of([constraint]), " " + text, demanded)
