"""The step that a GPU replays, run on a CPU: fixed places in memory, all columns, a mask."""

import pytest
import torch
from tiny_models import tiny_policy

from backsight.rollouts.base import Engine
from backsight.rollouts.decoding import causal_lm
from backsight.rollouts.decoding.batch import DecodeCache
from backsight.rollouts.decoding.captured import CapturedStep
from backsight.rollouts.decoding.step import LeanStep
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Sampling

PROMPTS = ["a", "a", "something longer", "b", "something longer", ""] * 3


def acted(engine: Engine) -> list[Action]:
    actions = dict(engine.act(PROMPTS, Sampling(max_completion_length=16), range(len(PROMPTS))))
    return [actions[index] for index in range(len(PROMPTS))]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
@pytest.mark.parametrize("spare", [2, 40])
def test_fixed_places_change_nothing(architecture: str, spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two spare columns, room has to be made now and then; rows leave and join all the while."""
    policy = tiny_policy(architecture)
    expected = acted(engine_for(policy))
    monkeypatch.setattr(causal_lm, "SPARE_COLUMNS", spare)
    monkeypatch.setattr(causal_lm, "LOGIT_ELEMENTS", 7 * policy.anatomy.vocabulary)
    engine = engine_for(policy)
    engine.__dict__["_step"] = CapturedStep(LeanStep(policy.model))
    found = acted(engine)
    assert [action.value for action in found] == [action.value for action in expected]
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one.log_probs, other.log_probs, atol=5e-5)


def test_memory_that_is_handed_out_again_is_not_taken_for_the_same() -> None:
    """A buffer at the same address but of another shape needs another recording."""
    cache, step = DecodeCache(spare=4), LeanStep(tiny_policy("llama").model)
    cache.update(torch.zeros(2, 1, 3, 16), torch.zeros(2, 1, 3, 16), 0)
    cache.update(torch.zeros(2, 1, 3, 16), torch.zeros(2, 1, 3, 16), 1)
    captured = CapturedStep(step)
    inputs = torch.full((2, 1), 5), torch.ones(2, 4, dtype=torch.long), torch.full((2, 1), 3)
    captured(*inputs, cache)
    assert captured._recorded is not None and captured._recorded.fits(cache)
    for layer in cache.layers:
        layer.buffer = layer.buffer[..., :-1, :]  # the same address, one column less
    assert not captured._recorded.fits(cache)
