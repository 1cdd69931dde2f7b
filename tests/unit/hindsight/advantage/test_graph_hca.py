"""Values of the states that siblings came through, and who led nearer to the goal."""

from dataclasses import replace

import pytest
import torch
from unit.hindsight.fakes import SUCCESS, FakeScorer, approx, episode, give_credit, group_of

from backsight.hindsight.advantage.graph_hca import state_values
from backsight.hindsight.advantage.options import GraphHCAOptions

DISCOUNTING, HALF = FakeScorer(discount=0.95), 0.5


def test_the_value_of_a_state_is_the_discounted_mean_over_what_followed() -> None:
    values = state_values([["a", "b", True], ["a", "c", False]], 0.5)
    # V(b) = 0.5·1, V(c) = 0.5·0, V(a) = 0.5·(0.5 + 0)/2
    assert values == pytest.approx({"a": 0.125, "b": 0.5, "c": 0.0, True: 1.0, False: 0.0})
    # V(a) = 0.5·(V(a) + 1)/2, so V(a)·0.75 = 0.25
    assert state_values([["a", "a", True]], 0.5)["a"] == pytest.approx(1 / 3)


def test_steps_that_leave_a_state_are_compared() -> None:
    good, bad = episode("ab", [0, 1], feedback=SUCCESS), episode("ac", [0, 0])
    # at a: log V(b)/V(a) against log floor/V(a), two numbers, so ±√½ of their sample; b and c were left once
    assert give_credit(GraphHCAOptions(), group_of(good, bad), DISCOUNTING) == approx(
        [[HALF**0.5, 0], [-(HALF**0.5), 0]]
    )
    # three numbers x, x, y: (x - y)/3 and -2(x - y)/3 over √⅓·(x - y)
    three = group_of(good, good, bad)
    assert give_credit(GraphHCAOptions(), three, DISCOUNTING) == approx([[3**-0.5, 0]] * 2 + [[-2 * 3**-0.5, 0]])
    # a step that stays where it is has credit log 1, one that reaches the goal more
    lone = group_of(episode("aa", [0, 1], feedback=SUCCESS))
    assert give_credit(GraphHCAOptions(), lone, DISCOUNTING) == approx([[-(HALF**0.5), HALF**0.5]])


def test_logarithms_pull_the_mean_below_a_step_that_leads_nowhere() -> None:
    # V(s) = γ(1 + 0 + V(s) + 1)/4 = 0.623: the goal from there, failure, and a step against the wall before the goal
    attempts = group_of(episode("s", [1], feedback=SUCCESS), episode("s", [0]), episode("ss", [0, 1], feedback=SUCCESS))
    assert state_values([["s", True], ["s", False], ["s", "s", True]], 0.95)["s"] == pytest.approx(1.9 / 3.05)
    (_, _, (wall, _)) = give_credit(GraphHCAOptions(), attempts, DISCOUNTING)
    assert wall > 0  # log 1, log 0.01 and log V(s): the failure weighs more than all others
    (_, _, (wall, goal)) = give_credit(GraphHCAOptions(change="value"), attempts, DISCOUNTING)
    changes = [1 - 1.9 / 3.05, -1.9 / 3.05, 0.0, 1 - 1.9 / 3.05]
    mean = sum(changes) / 4
    deviation = (sum((each - mean) ** 2 for each in changes) / 3) ** 0.5
    assert (wall, goal) == pytest.approx((-mean / deviation, (changes[0] - mean) / deviation), abs=1e-4)
    assert wall < 0


def test_the_estimators_advantage_is_added_and_credit_is_spread_over_tokens() -> None:
    group = group_of(episode("ab", [0, 1], 2, SUCCESS), episode("ac", [0, 0], 2))
    step = HALF**0.5
    advantages = (torch.tensor([4.0, 3, 2, 1]), torch.zeros(4))
    result = give_credit(GraphHCAOptions(episode_weight=0.5), replace(group, advantages=advantages), DISCOUNTING)
    assert result == approx([[2 + step, 1.5 + step, 1, 0.5], [-step, -step, 0, 0]])
