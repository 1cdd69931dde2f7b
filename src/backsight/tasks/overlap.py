"""Measures of how alike two texts are: the words they share (F1), and whether they are the same."""

from __future__ import annotations

from collections import Counter

from backsight.tasks.scripts import WORD


def word_f1(text: str, reference: str) -> float:
    """Compute the share of words that two texts have in common, from 0 to 1: the harmonic mean of precision and recall.

    Words are separated by white space; where a script puts none between words, each character is a word (see
    `backsight.tasks.scripts`). Their order does not count; their case and punctuation do. A word counts as often as
    both have it (Rajpurkar et al. 2016, "SQuAD: 100,000+ questions for machine comprehension of text", without its
    normalisation).
    """
    words, wanted = Counter(WORD.findall(text)), Counter(WORD.findall(reference))
    shared = (words & wanted).total()
    return 2 * shared / (words.total() + wanted.total()) if shared else 0.0


def likeness(text: str, reference: str) -> dict[str, float]:
    """Return two rewards: `overlap`, the word F1, and `exact`, 1 if only white space around the texts differs."""
    return {"overlap": word_f1(text, reference), "exact": float(text.strip() == reference.strip())}
