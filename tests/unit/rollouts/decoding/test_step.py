"""Random numbers, and the tokens they choose."""

import torch

from backsight.rollouts.decoding.step import BLOCK, draw_tokens, penalise, uniform_numbers


def test_tokens_are_drawn_from_the_softmax() -> None:
    probs = torch.tensor([0.1, 0.2, 0.3, 0.4])
    tokens, log_probs = draw_tokens(probs.log().expand(40_000, 4), uniform_numbers(range(40_000), 1)[:, 0])
    shares = torch.bincount(tokens, minlength=4) / len(tokens)
    assert torch.allclose(shares, probs, atol=0.01)
    assert torch.allclose(log_probs, probs.log()[tokens])


def test_the_running_sum_is_inverted_across_blocks() -> None:
    """With equal probabilities the share u of the way ends in token ⌊u·V⌋."""
    num_tokens = 3 * BLOCK + 16
    uniform = (torch.arange(num_tokens) + 0.5) / num_tokens
    tokens, _ = draw_tokens(torch.zeros(num_tokens, num_tokens), uniform)
    assert torch.equal(tokens, torch.arange(num_tokens))


def test_an_impossible_token_is_never_drawn() -> None:
    logits = torch.full((10_000, 2 * BLOCK), -torch.inf)
    logits[:, 1] = logits[:, BLOCK + 5] = 0.0
    uniform = torch.linspace(0, 1 - 2**-24, 10_000)
    tokens, _ = draw_tokens(logits, uniform)
    assert set(tokens.tolist()) == {1, BLOCK + 5}


def test_a_row_has_its_own_numbers() -> None:
    assert torch.equal(uniform_numbers([1, 2, 3], 5)[1], uniform_numbers([2], 5)[0])
    assert torch.equal(uniform_numbers([2], 9)[:, :5], uniform_numbers([2], 5))


def test_what_occurred_is_less_likely() -> None:
    logits, seen = torch.tensor([[2.0, -2.0, 2.0]]), torch.tensor([[True, True, False]])
    assert penalise(logits, seen, 2.0).tolist() == [[1.0, -4.0, 2.0]]
