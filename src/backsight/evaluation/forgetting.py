"""Log-probability of held-out general text under a policy. What it lost against another policy shows forgetting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from backsight.errors import BacksightError, DataError, ModelError
from backsight.evaluation.log_probs import mean_log_probs
from backsight.policies.base import Policy
from backsight.types import ActionValue, Example

PIECE_CHARACTERS = 1000
"""Most characters of a piece; pieces are shorter where a model's context is."""
MOST_PIECES = 400
"""Number of pieces, evenly spread, that are taken from a longer text."""
PROMPT_CHARACTERS = 10
"""Characters at the beginning of a piece that are its prompt; only the rest is scored. Not every model can score its
very first token."""


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        DataError: when there is no such file, or it is empty or not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise DataError("general_text", path, f"cannot be read ({error.strerror}); name a text file") from error
    except UnicodeDecodeError as error:
        raise DataError("general_text", path, f"byte {error.start} is not UTF-8; convert the file") from error
    if not text:
        raise DataError("general_text", path, "is empty; name a file with some text")
    return text


def cut_into_pieces(text: str, policies: Sequence[Policy]) -> list[str]:
    """Return the text in pieces that fit the context of every policy, cut between words where there are any.

    Raises:
        ModelError: when a policy produces no text, or two share no tokenizer, so that their means do not compare.
        DataError: when the text is too short to cut.
    """
    pieces = [piece.strip() for piece in _cut(text)]
    count = min(len(pieces), MOST_PIECES)
    spread = [pieces[index * len(pieces) // count] for index in range(count)]
    fitting = [part for piece in spread for part in _cut_to_fit(piece, policies)]
    if not fitting:
        remedy = f"is too short; give some pages of text, not {len(text)} characters"
        raise DataError("general_text", text, remedy)
    first, *others = ([_tokens(policy, piece) for piece in fitting] for policy in policies)
    if any(tokens != first for tokens in others):
        remedy = "do not share a tokenizer, so their log-probabilities a token do not compare; leave general_text out"
        raise ModelError("against", "the two models", remedy)
    return fitting


def text_log_probs(policy: Policy, pieces: Sequence[str]) -> list[float]:
    """Compute the mean log-probability per token of each piece behind its beginning, in nats."""
    return mean_log_probs(policy, [_example(policy, piece) for piece in pieces])


def _example(policy: Policy, piece: str) -> Example:
    prompt, rest = _divide(piece, PROMPT_CHARACTERS)
    tokens = _tokens(policy, rest)
    return Example((prompt,), (tokens,), "forgetting", imitation_weights=torch.ones(len(tokens)))


def _tokens(policy: Policy, text: str) -> ActionValue:
    """Return the tokens of a text without the end-of-text token, because the text goes on."""
    try:
        response = policy.encode(text)
    except BacksightError as error:  # a classifier answers with labels, and a module has no text at all
        remedy = "says no text of its own; leave general_text out"
        raise ModelError("policy", type(policy).__name__, remedy) from error
    return response[:-1]


def _cut(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        piece, _ = _divide(text[start : start + PIECE_CHARACTERS + 1], PIECE_CHARACTERS)
        yield piece
        start += len(piece)


def _divide(text: str, place: int) -> tuple[str, str]:
    """Divide a text at the last white space up to `place`, or at `place` if none is near."""
    if len(text) <= place:
        return text, ""
    ends = [index for index in range(place // 2, place + 1) if index and text[index].isspace()]
    end = ends[-1] if ends else max(1, place)
    return text[:end], text[end:]


def _cut_to_fit(piece: str, policies: Sequence[Policy]) -> list[str]:
    """Return the piece, halved until its parts fit. Parts that are hardly longer than their prompt are left out."""
    if len(piece) <= 2 * PROMPT_CHARACTERS:
        return []
    if all(_fits(policy, piece) for policy in policies):
        return [piece]
    return [part for half in _divide(piece, len(piece) // 2) for part in _cut_to_fit(half.strip(), policies)]


def _fits(policy: Policy, piece: str) -> bool:
    prompt, rest = _divide(piece, PROMPT_CHARACTERS)
    tokens = _tokens(policy, rest)
    try:
        policy.check_prompt(prompt, len(tokens))
    except DataError:
        return False
    return True
