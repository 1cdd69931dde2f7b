"""How likely general text is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.errors import DataError, ModelError
from backsight.evaluation.forgetting import MOST_PIECES, PIECE_CHARACTERS, cut_into_pieces, read_text, text_log_probs
from backsight.evaluation.paired import compare_scores

TEXT = " ".join(f"word{number}" for number in range(400))


def test_pieces_are_the_text_and_fit_the_context() -> None:
    policy = tiny_policy("gpt2")  # 128 tokens, each a byte
    pieces = cut_into_pieces(TEXT, [policy])
    assert " ".join(pieces) == TEXT, "cut between words, and nothing lost"
    assert max(len(policy.encode(piece)) for piece in pieces) <= 128


def test_where_there_are_no_spaces_pieces_are_cut_anywhere() -> None:
    text = "語" * 700
    pieces = cut_into_pieces(text, [tiny_policy("gpt2")])  # three bytes a character
    assert "".join(pieces) in text and len("".join(pieces)) > 600 and len(pieces) > 16


def test_pieces_fit_the_smaller_of_two_contexts() -> None:
    small, large = tiny_policy("gpt2"), tiny_policy("llama")
    assert max(map(len, cut_into_pieces(TEXT, [large]))) > 900
    assert (
        cut_into_pieces(TEXT, [large, small]) == cut_into_pieces(TEXT, [small, large]) == cut_into_pieces(TEXT, [small])
    )


def test_of_a_long_text_pieces_are_taken_evenly() -> None:
    text = "".join(f"{number:09d} " for number in range(3 * MOST_PIECES * PIECE_CHARACTERS // 10))
    pieces = cut_into_pieces(text, [tiny_policy("llama")])
    numbers = [int(piece[:9]) for piece in pieces]
    assert len(pieces) == MOST_PIECES
    assert {after - before for before, after in zip(numbers, numbers[1:], strict=False)} == {300}


def test_log_probs_are_means_over_what_follows_the_beginning() -> None:
    policy = tiny_policy()
    piece = "The quick brown fox jumps over the lazy dog"
    prompt, rest = policy.prompt_tokens("The quick"), policy.encode(" brown fox jumps over the lazy dog")[:-1]
    with torch.no_grad():
        logits = policy.model(input_ids=torch.tensor([[*prompt, *rest]])).logits[0]
    expected = logits.log_softmax(-1)[len(prompt) - 1 : -1].gather(1, torch.tensor(rest).unsqueeze(1)).mean()
    assert text_log_probs(policy, [piece]) == [pytest.approx(float(expected), abs=1e-4)]


def test_a_policy_has_forgotten_nothing_of_itself() -> None:
    policy, other = tiny_policy(), tiny_policy(seed=1)
    pieces = cut_into_pieces(TEXT[:300], [policy, other])
    same = compare_scores(text_log_probs(policy, pieces), text_log_probs(policy, pieces))
    changed = compare_scores(text_log_probs(policy, pieces), text_log_probs(other, pieces))
    assert same is not None and changed is not None
    assert (same.difference.mean, same.p) == (0.0, 1.0)
    assert changed.difference.mean != 0.0


def test_other_tokens_are_another_figure() -> None:
    with pytest.raises(ModelError, match="do not share a tokenizer"):
        cut_into_pieces(TEXT, [tiny_policy(), tiny_policy(words=("word",))])


def test_who_says_labels_says_no_text() -> None:
    class Labels:
        """As much of a classifier as is asked."""

        def encode(self, text: str) -> Any:
            raise DataError("label", text, "known: positive, negative")

    with pytest.raises(ModelError, match="policy: Labels: says no text"):
        cut_into_pieces(TEXT, [Labels()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), (b" \n", "is empty"), (b"caf\xe9 au lait", "byte 3 is not UTF-8")],
)
def test_a_text_that_is_none(content: bytes | None, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "general.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"general_text: .*general.txt: {complaint}"):
        read_text(path)


def test_a_few_words_are_too_short() -> None:
    with pytest.raises(DataError, match="general_text: hello: is too short"):
        cut_into_pieces("hello", [tiny_policy()])
