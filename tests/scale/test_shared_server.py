"""Several ranks sample by one server, which the first of them gives its weights; the server is `tests/fake_vllm.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_vllm import FakeVllm
from scale.launching import PATIENCE, train
from scale.test_endings import SETTINGS, errors
from scale.test_same_run import rows_of, weights_of

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.opening import open_policy

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.fixture
def server(kit: Path) -> Iterator[FakeVllm]:
    policy = open_policy(str(kit / "llama"))
    assert isinstance(policy, CausalLMPolicy)
    with FakeVllm(policy) as fake:
        yield fake


def run(ranks: int, kit: Path, server: FakeVllm, name: str, *words: str) -> str:
    """Train on so many ranks, and return what they complained of."""
    engine = ("engine=vllm", f"engine.url={server.url}", "engine.retries=0")
    return train(ranks, kit, *SETTINGS, *engine, "stop.max_steps=3", f"run_name={name}", *words).stderr


def test_ranks_that_share_a_server_make_the_attempts_of_one_process(kit: Path, server: FakeVllm) -> None:
    for ranks in (1, 2):
        assert errors(run(ranks, kit, server, f"sampled by {ranks}", "eval_steps=1", "learning_rate=1e-3")) == []
    one, two = (kit / "runs" / f"sampled by {ranks}" for ranks in (1, 2))
    for expected, found in zip(*(rows_of(place / "trajectories.jsonl") for place in (one, two)), strict=True):
        assert expected["completion"] == found["completion"]
    expected, found = weights_of(one), weights_of(two)
    apart = torch.cat([(found[name].double() - value.double()).flatten() for name, value in expected.items()])
    assert apart.square().mean().sqrt() < 1e-6
    assert server.asked["/collective_rpc"] == 2 * 4, "the weights of the beginning, and those after each step"


def test_a_server_that_loses_its_weights_ends_all_ranks_with_one_line(kit: Path, server: FakeVllm) -> None:
    server.faults = [""] * 9 + ["restart"]
    (line,) = errors(run(2, kit, server, "lost"))
    assert "no longer has the weights that it was given; the run goes on from its newest" in line


def test_steps_ahead_are_refused_before_anything_is_sampled(kit: Path, server: FakeVllm) -> None:
    (line,) = errors(run(2, kit, server, "ahead", "max_staleness=1", "loss_type=tis"))
    assert line.startswith("error: max_staleness: 1: 2 ranks wait for each other before a server samples")
    assert server.asked["/inference/v1/generate"] == 0
