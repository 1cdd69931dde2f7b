"""Forward passes of one token, random numbers, and the tokens they choose."""

from typing import Any

import pytest
import torch
import transformers
from tiny_models import BART_PARTS, SIZES, tiny_policy, tiny_tokenizer

from backsight.errors import ModelError
from backsight.policies.causal_lm import TOLERANCE, CausalLMPolicy
from backsight.rollouts.decoding.step import (
    BLOCK,
    LeanStep,
    _decodes,
    _try_step,
    check_decodes,
    decode_step,
    draw_tokens,
    penalise,
    uniform_numbers,
)
from backsight.rollouts.engines import engine_for
from backsight.types import Sampling

TOKENS = {"vocab_size": len(tiny_tokenizer()), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["llama", "smollm3", "mistral"])
def test_the_lean_step_is_taken_where_it_computes_the_same(architecture: str, dtype: torch.dtype) -> None:
    """SmolLM3 has layers that turn nothing, which in bfloat16 shows only where tokens are far apart."""
    model = tiny_policy(architecture).model.to(dtype)
    assert isinstance(decode_step(model), LeanStep) == (architecture == "llama")


def test_the_lean_step_is_tried_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """In low precision, the outcome would depend on the weights: another one in a run that is resumed."""
    tried: list[torch.dtype] = []

    def try_step(step: Any, model: Any, stride: int) -> torch.Tensor:
        tried.append(model.dtype)
        return _try_step(step, model, stride)

    monkeypatch.setattr("backsight.rollouts.decoding.step._try_step", try_step)
    model = tiny_policy("llama").model.bfloat16()
    step = decode_step(model)
    assert isinstance(step, LeanStep) and step.model is model and model.dtype == torch.bfloat16
    assert tried == [torch.float32] * 2


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (transformers.BertConfig(**SIZES, **TOKENS), "BertLMHeadModel"),  # sees what comes later
        (transformers.BartConfig(**BART_PARTS, **TOKENS, d_model=32), "BartForCausalLM"),  # counts columns
        (transformers.ProphetNetConfig(**TOKENS, hidden_size=32), "ProphetNetForCausalLM"),  # refuses the positions
    ],
    ids=["encoder", "decoder of two", "other positions"],
)
def test_what_decodes_otherwise_than_it_reads_is_refused_by_name(config: Any, name: str) -> None:
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(6.0)
    policy = CausalLMPolicy(model, tiny_tokenizer())
    with pytest.raises(ModelError) as refused:
        dict(engine_for(policy).act(["a", "a longer one"], Sampling(max_completion_length=4), [0, 1]))
    message = str(refused.value)
    assert message.startswith(f"policy: {name}: computes otherwise token by token, or padded, than a row at once")
    assert message.endswith("; take a decoder-only model") and len(message) < 300 and "\n" not in message


def test_rounding_alone_refuses_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_policy("llama").model.bfloat16()
    check_decodes(model)
    monkeypatch.setitem(TOLERANCE, torch.bfloat16, -1.0)  # whatever it computes is too far off, in this precision alone
    assert not _decodes(model)
    check_decodes(model)
    assert model.dtype == torch.bfloat16


def test_what_keeps_nothing_for_each_token_is_refused_by_name() -> None:
    config = transformers.MambaConfig(hidden_size=32, num_hidden_layers=1, state_size=4, **TOKENS)
    policy = CausalLMPolicy(transformers.AutoModelForCausalLM.from_config(config).eval(), tiny_tokenizer())
    with pytest.raises(ModelError, match="policy: MambaForCausalLM: does not keep keys and values for every token"):
        dict(engine_for(policy).act(["a"], Sampling(max_completion_length=4), [0]))
