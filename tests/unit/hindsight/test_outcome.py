"""The control: what was sampled, with the advantages of the estimator."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt

from backsight.hindsight.outcome import Outcome
from backsight.types import Group

SHORT, LONG = attempt((7,)), attempt((7, 8), log_probs=(0.0, -0.1))
GROUP = Group("start", (SHORT, LONG), (torch.tensor([1.0]), torch.tensor([2.0, 2.0])))


def test_every_decision_has_its_advantage_and_what_it_was_sampled_with() -> None:
    examples = Outcome()([GROUP], FakeScorer())
    assert [each.advantages.tolist() for each in examples if each.advantages is not None] == [[1.0], [2.0, 2.0]]
    assert examples[1].behaviour_log_probs is not None
    assert examples[1].behaviour_log_probs.tolist() == pytest.approx([0.0, -0.1])
    assert all(each.imitation_weights is None and each.prompts == ("asked",) for each in examples)


def test_an_empty_group_teaches_nothing() -> None:
    assert Outcome()([replace(GROUP, trajectories=(), advantages=()), Group("other")], FakeScorer()) == []
