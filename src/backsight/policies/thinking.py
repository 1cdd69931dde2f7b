"""The thinking part of completions: some models write down what they think before they answer.

It belongs to what was sampled and is learnt from, but it is set aside before a judge reads the answer.
"""

from __future__ import annotations

MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
)
"""Pairs of texts between which models think: Qwen 3, DeepSeek R1 and SmolLM 3, and Magistral for the last pair."""


def thought_end(text: str, *, has_begun: bool) -> int:
    """Return the number of characters at the beginning of a completion that are thinking.

    `has_begun` says whether the prompt ends with the beginning of a thought, as some chat templates make it end. A
    thought that does not end is all of the completion.
    """
    for opening, closing in MARKS:
        if (place := text.rfind(closing)) >= 0:
            return place + len(closing)
        if text.lstrip().startswith(opening):
            return len(text)
    return len(text) if has_begun else 0


def begins_thought(prompt: str) -> bool:
    """Return whether a rendered prompt ends with the beginning of a thought."""
    return prompt.rstrip().endswith(tuple(opening for opening, _ in MARKS))
