"""What the pocket model is pretrained on: plain sentences of every domain, and single-constraint instructions.

Instructions are about the trained domains only, with one constraint each: the model is to know the format and to
manage one constraint, and nobody shows it a combination. The held-out domains appear as plain sentences alone,
so their words are known and have never been asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from backsight.pocket import world
from backsight.pocket.constraints import KINDS, Sentence, draw
from backsight.pocket.instructions import prompt_of

INSTRUCTION_SHARE = 0.7


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
    domain = rng.choice((*world.DOMAINS, *world.HELD_OUT_DOMAINS))
    return Document("", " " + world.sentence(rng, domain))


def _instruction(rng: random.Random) -> Document:
    kind = rng.choice(KINDS)
    while True:
        text = world.sentence(rng, rng.choice(world.DOMAINS))
        constraint = draw(kind, Sentence(text), (), rng)
        if constraint is not None:
            demanded = constraint.argument if kind in ("use", "start", "end") else ""
            return Document(prompt_of([constraint]), " " + text, demanded)
