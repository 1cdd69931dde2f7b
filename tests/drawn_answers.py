"""Answers of random words, in all the forms that constraints on answers are about."""

from __future__ import annotations

import random

TEXT = "tea bread cat river the a of in good warm we like to sleep every morning and old house Anna it is 7"
WORDS = TEXT.split()


def draw_answer(rng: random.Random) -> str:
    """Draw sentences of random words, sometimes with a trait that is marked."""
    sentences = []
    for _ in range(rng.randint(1, 4)):
        words = rng.sample(WORDS, rng.randint(2, 14))
        text = " ".join(word + "," * (rng.random() < 0.1) for word in words).rstrip(",")
        sentences.append(text[0].upper() + text[1:] + rng.choice(".!?"))
    text = rng.choice(" \n").join(sentences)
    change = rng.randrange(12)
    changed = {0: text.lower(), 1: f'"{text}"', 2: f"<<Tea>> {text}", 3: f"{text} P.S. Sleep well.", 4: text.upper()}
    changed |= {5: "- " + text.replace("\n", "\n- "), 6: text.replace("tea", "*tea*"), 7: text + " [name]"}
    return changed.get(change, text)
