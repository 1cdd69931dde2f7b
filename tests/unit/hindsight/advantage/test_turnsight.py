"""Turns that count for more or less by what was observed after them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import (
    FAILURE,
    SUCCESS,
    Cramped,
    FakeScorer,
    approx,
    attempt,
    episode,
    give_credit,
    group_of,
    make_rows,
    numbered_episode,
    refuse,
)

from backsight.errors import ConfigError
from backsight.hindsight.advantage.options import TurnSightOptions
from backsight.hindsight.base import Exchange
from backsight.types import Action, Feedback, Observation, Step, Trajectory


def by_results(shifts: dict[str, float]) -> FakeScorer:
    """A teacher that finds a turn so much likelier than the policy, which sampled with -0.1, by what it is told."""

    def log_prob(asked: Exchange) -> torch.Tensor:
        told = (prompt.removeprefix("What came next: ").replace("\n", " ") for prompt in asked[0])
        return torch.cat(
            [torch.full((len(said),), shifts.get(each, 0.0) - 0.1) for each, said in zip(told, asked[1], strict=True)]
        )

    return FakeScorer(refuse, log_prob)


def test_a_turn_counts_for_more_where_what_it_led_to_speaks_for_it() -> None:
    group = group_of(episode("abc", [0, 0, 0], 2, SUCCESS), episode("def", [0, 0, 0], 2))
    # results, then the prompt; after the first turn of the failure one speaks for and one against it
    scorer = by_results({"b a": 0.4, "c b": -0.2, "b c a": 0.6, "e d": -0.3, "f e": 0.1, "e f d": 0.5})
    known = [0.6, -0.2, 0.0, 0.1]
    mean = sum(known) / 4
    deviation = math.sqrt(sum((each - mean) ** 2 for each in known) / 4)
    first, second, third, fourth = ((each - mean) / deviation for each in known)
    right = [1 + 0.2 * math.tanh(first), 1 + 0.2 * math.tanh(second), 1.0]
    wrong = [1 + 0.2 * math.tanh(-third), 1 + 0.2 * math.tanh(-fourth), 1.0]
    expected = [[sign * 0.5 * each for each in own for _ in range(2)] for sign, own in ((1, right), (-1, wrong))]
    assert give_credit(TurnSightOptions(), group, scorer) == approx(expected)


@pytest.mark.parametrize(("results", "strongest"), [(1, 0.1), (2, 0.0), (3, 0.3)])
def test_of_several_results_the_strongest_counts_that_agrees_with_most(results: int, strongest: float) -> None:
    group = group_of(episode("abcd", [0] * 4, feedback=SUCCESS), episode("e", [0]))
    scorer = by_results({"b a": 0.1, "b c a": -0.5, "b c d a": 0.3})
    known = [strongest, 0.0, 0.0]
    mean = sum(known) / 3
    deviation = math.sqrt(sum((each - mean) ** 2 for each in known) / 3) or 1.0
    factors = [*(1 + 0.5 * math.tanh((each - mean) / deviation) for each in known), 1.0]
    result = give_credit(TurnSightOptions(results=results, strength=0.5), group, scorer)
    assert result == approx([[0.5 * each for each in factors], [-0.5]])


def talk(observations: Sequence[Observation], last: Observation | None = None) -> Trajectory:
    steps = tuple(Step(each, Action((5,), torch.tensor([-0.1]), "said ")) for each in observations)
    return Trajectory("start", steps, SUCCESS, next_observation=last)


ASKED = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "q"}]
SAID = {"role": "assistant", "content": "said "}
FOUND = {"role": "tool", "content": "42"}


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (talk(["q", "qsaid \nfound"]), ["What came next: found\nq"]),
        (talk(["q", "found"]), ["What came next: found\nq"]),  # with memory=0, only the newest is shown
        (
            talk(["q", "qsaid \nfound"], "qsaid \nfoundsaid \nmore"),
            ["What came next: found\nq", "What came next: more\nqsaid \nfound", "What came next: found\nmore\nq"],
        ),
        (
            talk([ASKED, [*ASKED, SAID, FOUND]]),
            [[ASKED[0], {"role": "user", "content": "What came next: 42\nq"}]],
        ),
        (
            talk([ASKED, [ASKED[0], {"role": "user", "content": "42"}]]),
            [[ASKED[0], {"role": "user", "content": "What came next: 42\nq"}]],
        ),
    ],
)
def test_a_result_is_what_was_observed_after_the_turn_and_not_what_was_known_before(
    attempt: Trajectory, told: list[Any]
) -> None:
    seen: list[Any] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.extend(asked[0])
        return torch.full((len(asked[0]),), -0.1)

    other = Trajectory("start", attempt.steps[:1], FAILURE)
    give_credit(TurnSightOptions(), group_of(attempt, other), FakeScorer(refuse, log_prob))
    assert seen == told


def test_without_advantages_room_or_trust_nobody_is_asked() -> None:
    equal = group_of(episode("ab", [0, 0]), episode("cd", [0, 0]))
    assert give_credit(TurnSightOptions(), equal, FakeScorer(refuse, refuse)) == [[0, 0], [0, 0]]
    group = group_of(episode("ab", [0, 0], feedback=SUCCESS), episode("cd", [0, 0]))
    for scorer in (Cramped(refuse, refuse), FakeScorer(refuse, refuse, trusts=False)):
        assert give_credit(TurnSightOptions(), group, scorer) == [[0.5, 0.5], [-0.5, -0.5]]


def test_a_group_that_is_alone_with_one_shift_has_nothing_to_compare_it_with() -> None:
    group = group_of(episode("ab", [0, 0], feedback=SUCCESS), episode("c", [0]))
    assert give_credit(TurnSightOptions(), group, by_results({"b a": 2.0})) == [[0.5, 0.5], [-0.5]]


def test_single_turns_and_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="turnsight: looks at what the turns after one led to, .* use rlsd or cscr"):
        make_rows(TurnSightOptions(), group_of(attempt((1,), SUCCESS), attempt((2,), FAILURE)))
    with pytest.raises(ConfigError, match="turnsight: needs observations in text"):
        make_rows(TurnSightOptions(), group_of(numbered_episode([0, 1], [0.0, 1.0], feedback=Feedback())))
    in_numbers = attempt((1,), SUCCESS, prompt=np.zeros(1))
    with pytest.raises(ConfigError, match="use hca, gigpo or graph_hca"):
        make_rows(TurnSightOptions(), group_of(in_numbers))
