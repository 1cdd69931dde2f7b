"""How fluent completions are, apart from the reward."""

import pytest
import torch
from tiny_models import tiny_policy
from toy_tasks import WORDS

from backsight.evaluation.fluency import measure_fluency
from backsight.types import Action, Example, Step, Trajectory


def test_fluency_by_hand() -> None:
    policy = tiny_policy(words=WORDS)
    tokens = [policy.encode(text) for text in (" red", " red", " blue gold")]
    attempts = [
        Trajectory(None, (Step("", Action(each, torch.zeros(len(each)), policy.decode(each))),)) for each in tokens
    ]
    looked = measure_fluency(policy, attempts, lambda text: text == "red")
    assert looked.distinct == pytest.approx(2 / 3)
    assert looked.malformed.mean == pytest.approx(1 / 3)
    alone = [policy.log_probs([Example(("",), (each,), "x", torch.zeros(len(each)))]).log_probs_N for each in tokens]
    expected = sum(float(each.detach().mean()) for each in alone) / 3
    assert looked.log_likelihood.mean == pytest.approx(expected, abs=1e-5)
