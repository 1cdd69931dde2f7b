"""Sampling in process."""

import pytest
import torch
from tiny_models import ARCHITECTURES, tiny_policy

from backsight.rollouts.local import LocalEngine, draw_tokens
from backsight.types import Example, Sampling

PROMPTS = ["a", "a", "something longer", "b", "something longer", ""]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@torch.no_grad()
def test_greedy_tokens_are_those_of_generate(architecture: str) -> None:
    policy = tiny_policy(architecture)
    actions = LocalEngine(policy).act(PROMPTS, Sampling(temperature=0.0, max_completion_length=12), seed=0)
    for prompt, action in zip(PROMPTS, actions, strict=True):
        tokens = torch.tensor([policy.prompt_tokens(prompt)])
        expected = policy.model.generate(
            tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=12, pad_token_id=1
        )[0, tokens.shape[1] :]
        assert action.value == tuple(expected.tolist())


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@torch.no_grad()
def test_sampler_and_learner_agree(architecture: str) -> None:
    policy = tiny_policy(architecture)
    actions = LocalEngine(policy).act(PROMPTS * 3, Sampling(temperature=0.8, max_completion_length=10), seed=1)
    examples = [
        Example((prompt,), (action.value,), "test", torch.zeros(len(action.value)))
        for prompt, action in zip(PROMPTS * 3, actions, strict=True)
    ]
    learner = policy.log_probs(examples, temperature=0.8).log_probs_N
    assert torch.allclose(torch.cat([action.log_probs for action in actions]), learner, atol=5e-5)


def test_the_seed_decides() -> None:
    engine = LocalEngine(tiny_policy())
    sampling = Sampling(max_completion_length=8)
    first, again, other = (engine.act(PROMPTS, sampling, seed) for seed in (1, 1, 2))
    assert [action.value for action in first] == [action.value for action in again]
    assert [action.value for action in first] != [action.value for action in other]


def test_the_cap_is_kept_and_said() -> None:
    actions = LocalEngine(tiny_policy()).act(["x"] * 40, Sampling(max_completion_length=3), seed=0)
    assert all(len(action.value) <= 3 for action in actions)
    assert all(action.is_truncated == (action.value[-1] != 0) for action in actions)


def test_tokens_are_drawn_from_the_softmax() -> None:
    logits = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(40_000, 4)
    tokens, log_probs = draw_tokens(logits, 1.0, torch.Generator().manual_seed(0))
    shares = torch.bincount(tokens, minlength=4) / len(tokens)
    assert torch.allclose(shares, torch.tensor([0.1, 0.2, 0.3, 0.4]), atol=0.01)
    assert torch.allclose(log_probs, logits[0][tokens])


def test_an_impossible_token_is_never_drawn() -> None:
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf]).expand(10_000, 3)
    tokens, _ = draw_tokens(logits, 1.0, torch.Generator().manual_seed(0))
    assert set(tokens.tolist()) == {1}
