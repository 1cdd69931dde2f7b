"""The teaching loops learn with hindsight what they cannot learn without it, and stay short enough to read."""

import copy
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from backsight.hindsight.options import OutcomeOptions
from backsight.hindsight.prompt.options import RelabelOptions

EXAMPLES = Path(__file__).parents[2] / "examples"


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_text_loop_learns() -> None:
    loop = load_example("text_loop")
    torch.manual_seed(0)
    policy = loop.make_model()
    loop.warm_up(policy)
    assert loop.train(copy.deepcopy(policy), OutcomeOptions().build(), steps=40) < 0.1
    assert loop.train(copy.deepcopy(policy), RelabelOptions().build()) > 0.8


def test_the_gym_loop_learns() -> None:
    loop = load_example("gym_loop")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3 * loop.BITS, 128), nn.ReLU(), nn.Linear(128, loop.BITS))
    assert loop.train(copy.deepcopy(network), OutcomeOptions().build(), steps=40) < 0.1
    assert loop.train(copy.deepcopy(network), RelabelOptions().build()) > 0.6


@pytest.mark.parametrize("name", ["text_loop", "gym_loop"])
def test_a_loop_uses_the_parts_and_not_the_trainer(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) < 150
    for room in ("policies", "estimators", "losses", "hindsight"):
        assert f"from backsight.{room}" in text
    assert "backsight.training" not in text
    assert "backsight.runs" not in text
