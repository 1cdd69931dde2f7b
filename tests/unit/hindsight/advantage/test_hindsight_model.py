"""The small model of past actions: it follows the policy of itself, and makes room for what is new."""

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import FakeScorer, give_credit, group_of, walk

from backsight.hindsight.advantage.hca import HCA
from backsight.hindsight.advantage.options import HCAOptions

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_policys_own_preferences_get_no_credit() -> None:
    likely = FakeScorer(log_prob=lambda asked: torch.full((1,), np.log((0.1, 0.9)[int(asked[1][0].item())])))
    # 9 of 10 do what the policy prefers, and all earn the same: nothing came of what was done
    group = group_of(*(walk([0], [action], [1.0], 2) for action in [1] * 9 + [0]))
    credit = give_credit(HCAOptions(hidden_size=64, num_updates=100), group, likely, num_fits=2)
    assert [each for (each,) in credit] == pytest.approx([0.0] * 10, abs=0.15)


def test_an_action_that_was_never_seen_starts_the_model_over() -> None:
    method = HCA(HCAOptions(num_updates=1))
    for action, num_actions in ((0, 1), (3, 4), (1, 4)):
        give_credit(method, group_of(walk([0], [action], [1.0], 2)))
        assert method.model.num_actions == num_actions
