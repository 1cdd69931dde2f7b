"""How likely recorded turns are."""

from __future__ import annotations

import numpy
import pytest
import torch
from tiny_models import tiny_policy

from backsight.errors import DataError
from backsight.evaluation.likelihood import (
    compare_likelihoods,
    compare_likelihoods_over_seeds,
    pairwise_accuracy,
    turn_log_probs,
)
from backsight.tasks.base import Item


def turn(reward: float | None, prompt: str = "a", said: str = " b") -> Item:
    return Item("1", prompt, said, {"reward": reward, "reward_mean": 0.5})


def test_gains_are_compared_by_reward() -> None:
    items = [turn(1.0), turn(0.0), turn(1.0), turn(0.0), turn(None)]
    # gains: rewarded +1.0 and -0.5, unrewarded -1.0 and 0.0; of four pairs the rewarded one is ahead in three
    found = compare_likelihoods(items, [-1.0, -4.0, -2.5, -3.0, -9.0], [-2.0, -3.0, -2.0, -3.0, -1.0])
    assert found.accuracy.mean == 0.75
    assert (found.rewarded.mean, found.rewarded.count) == (-1.75, 2)
    assert (found.unrewarded.mean, found.unrewarded.count) == (-3.5, 2)


def test_without_a_change_the_accuracy_is_one_half() -> None:
    same = [-1.0, -2.0, -3.0]
    assert compare_likelihoods([turn(1.0), turn(0.0), turn(0.0)], same, same).accuracy.mean == 0.5


@pytest.mark.parametrize("rewards", [[], [1.0, 1.0], [0.0, None], [None]])
def test_one_kind_of_turn_alone_cannot_be_compared(rewards: list[float | None]) -> None:
    zeros = [0.0] * len(rewards)
    with pytest.raises(DataError, match="rewarded and .* unrewarded turns"):
        compare_likelihoods([turn(reward) for reward in rewards], zeros, zeros)


def test_the_interval_of_the_accuracy() -> None:
    # shares: rows 1, 1/2, columns 1, 1/2; variances 1/8 each; DeLong: 1/8/2 + 1/8/2 = 1/8
    found = pairwise_accuracy([3.0, 1.0], [0.0, 2.0])
    assert found.mean == 0.75
    assert found.low == pytest.approx(0.75 - 1.959964 * 0.125**0.5)
    assert (found.high, found.count) == (1.0, 4)
    alone = pairwise_accuracy([1.0], [0.0])
    assert (alone.low, alone.mean, alone.high) == (1.0, 1.0, 1.0)


def test_log_probs_are_means_over_the_tokens_of_a_turn() -> None:
    policy = tiny_policy()
    items = [turn(1.0, "a", " bc"), turn(0.0, "xyz", " d"), turn(1.0, "a", " e")]
    for item, found in zip(items, turn_log_probs(policy, items), strict=True):
        prompt, response = policy.prompt_tokens(item.prompt), policy.encode(str(item.target))
        with torch.no_grad():
            logits = policy.model(input_ids=torch.tensor([[*prompt, *response]])).logits[0]
        log_probs = logits.log_softmax(-1)[len(prompt) - 1 : -1].gather(1, torch.tensor(response).unsqueeze(1))
        assert found == pytest.approx(float(log_probs.mean()), abs=1e-4)
    assert turn_log_probs(policy, []) == []


def test_a_turn_that_was_not_said_cannot_be_looked_at() -> None:
    with pytest.raises(DataError, match="1.target"):
        turn_log_probs(tiny_policy(), [Item("1", "a")])


def test_over_seeds_the_accuracy_is_the_mean_of_the_runs_and_allows_for_other_seeds() -> None:
    items = [turn(float(number % 2)) for number in range(40)]
    base = [0.0] * 40
    ahead = [0.1 * (number % 2) + 0.001 * number for number in range(40)]
    behind = [-value for value in ahead]
    two = compare_likelihoods_over_seeds(items, [ahead, behind], base).accuracy
    assert two.mean == pytest.approx(0.5)
    assert (two.low, two.high) == (0.0, 1.0)  # two runs that say the opposite say nothing
    alike = compare_likelihoods_over_seeds(items, [ahead, ahead], base).accuracy
    assert alike.mean == compare_likelihoods(items, ahead, base).accuracy.mean == 1.0
    alone = compare_likelihoods_over_seeds(items, [behind], base)
    assert alone == compare_likelihoods(items, behind, base)


def test_the_interval_over_seeds_holds_the_truth_in_nineteen_of_twenty_tries() -> None:
    random = numpy.random.default_rng(0)
    items, held, tries = [turn(float(number % 2)) for number in range(60)], 0, 200
    for _ in range(tries):
        of_turns = random.normal(size=60)
        signs = numpy.asarray([1.0 if number % 2 else -1.0 for number in range(60)])
        runs = [
            (of_turns + random.normal(scale=0.3) * signs + random.normal(scale=0.3, size=60)).tolist() for _ in range(3)
        ]
        found = compare_likelihoods_over_seeds(items, runs, [0.0] * 60).accuracy
        held += found.low <= 0.5 <= found.high
    assert held / tries >= 0.92
