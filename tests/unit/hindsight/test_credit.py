"""The methods that change advantages, on groups made by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.errors import ConfigError
from backsight.hindsight.base import Exchange, Hindsight
from backsight.hindsight.cocoa import Cocoa
from backsight.hindsight.gigpo import HGPO, GiGPO
from backsight.hindsight.graph_hca import GraphHCA, state_values
from backsight.hindsight.hca import HCA
from backsight.hindsight.hcapo import HCAPO
from backsight.hindsight.opd import OPD
from backsight.hindsight.rlcsd import RLCSD
from backsight.hindsight.rlsd import RLSD
from backsight.hindsight.same_state import state_key
from backsight.hindsight.vine import Vine
from backsight.types import Action, ActionValue, Begun, Feedback, Group, Observation, Step, Trajectory

SUCCESS, FAILURE = Feedback(reward=1.0, success=True), Feedback(reward=0.0, success=False)
REACHED = Feedback(success=True)
"""The environment has paid already."""


def episode(
    observations: Sequence[Observation], rewards: Sequence[float], num_tokens: int = 1, feedback: Feedback = FAILURE
) -> Trajectory:
    """Steps in words, or in arrays with one choice each."""
    value = (5,) * num_tokens if isinstance(observations[0], str) else np.array([1])
    action = Action(value, torch.full((num_tokens,), -0.1), "move")
    steps = tuple(map(Step, observations, [action] * len(rewards), rewards))
    return Trajectory("start", steps, feedback)


def credited(method: Hindsight, group: Group, scorer: FakeScorer | None = None) -> list[list[float]]:
    before = [each.clone() for each in group.advantages]
    scorer = scorer or FakeScorer()
    method.fit([group], scorer)
    (revalued,) = method.revalue([group], scorer)
    assert all(map(torch.equal, before, group.advantages))  # what was given is left alone
    return [each.tolist() for each in revalued.advantages]


def refuse(_: Exchange) -> torch.Tensor:
    raise AssertionError("is not to be asked")


class Cramped(FakeScorer):
    """There is no room for anything that was revealed."""

    def fits(self, prompts: Sequence[Observation], response: ActionValue | None = None) -> bool:
        return False


def approx(rows: list[list[float]]) -> list[object]:
    return [pytest.approx(row, abs=1e-4) for row in rows]


# ------------------------------------------------------------------ every one of them


def everyone() -> list[tuple[Hindsight, bool]]:
    """Each method, and whether it reads arrays."""
    words = [HCAPO(), GraphHCA(), GiGPO(), HGPO(), OPD(), RLSD(), RLCSD(), Vine()]
    arrays = [HCA(num_updates=1), HCA("state", num_updates=1), Cocoa(num_updates=1), GraphHCA(), GiGPO(), HGPO()]
    return [(method, False) for method in words] + [(method, True) for method in arrays]


@pytest.mark.parametrize(("method", "in_numbers"), everyone())
@pytest.mark.parametrize("feedback", [[], [FAILURE], [SUCCESS], [FAILURE] * 3, [SUCCESS, FAILURE, FAILURE]])
def test_every_group_keeps_its_shape(method: Hindsight, in_numbers: bool, feedback: list[Feedback]) -> None:
    if in_numbers:
        observations = [np.zeros(2, np.float32), np.ones(2, np.float32)]
        group = group_of(*(episode(observations, [0, 0], feedback=each) for each in feedback))
    else:
        group = group_of(*(attempt((1, 2, 3), each) for each in feedback))
    result = credited(method, group)
    assert [len(each) for each in result] == [each.num_decisions for each in group.trajectories]
    assert all(math.isfinite(value) for own in result for value in own)
    assert list(method.revalue([], FakeScorer())) == []


@pytest.mark.parametrize("method", [HCAPO(), GraphHCA(), GiGPO(), HGPO(), RLSD(), RLCSD(), Vine(num_samples=1)])
def test_a_group_in_which_all_failed_gets_no_credit_from_nothing(method: Hindsight) -> None:
    group = group_of(attempt((1, 2), FAILURE), attempt((3, 4), FAILURE))
    assert credited(method, group, FakeScorer(verdict=lambda _: FAILURE)) == [[0.0, 0.0]] * 2


# ------------------------------------------------------------------ graph_hca, gigpo, hgpo


def test_the_same_observation_has_the_same_key() -> None:
    message = [{"role": "user", "content": "go"}]
    assert state_key(message) == state_key([{"content": "go", "role": "user"}])
    assert state_key(np.zeros(2)) == state_key(np.zeros(2)) != state_key(np.zeros(2, np.float32))
    assert state_key(Begun("go", (1,))) == state_key(Begun("go", (1,))) != state_key(Begun("go", (2,)))
    different = [state_key(each) for each in ("go", message, np.zeros(2), Begun("go", ()))]
    assert len(set(different)) == 4


def test_the_value_of_a_state_is_the_discounted_mean_over_what_followed() -> None:
    values = state_values([["a", "b", True], ["a", "c", False]], 0.5)
    # V(b) = 0.5·1, V(c) = 0.5·0, V(a) = 0.5·(0.5 + 0)/2
    assert values == pytest.approx({"a": 0.125, "b": 0.5, "c": 0.0, True: 1.0, False: 0.0})
    # V(a) = 0.5·(V(a) + 1)/2, so V(a)·0.75 = 0.25
    assert state_values([["a", "a", True]], 0.5)["a"] == pytest.approx(1 / 3)


def test_graph_hca_compares_the_steps_that_leave_a_state() -> None:
    good, bad = episode("ab", [0, 1], feedback=SUCCESS), episode("ac", [0, 0])
    # at a: log V(b)/V(a) against log floor/V(a), two numbers, so ±1; b and c were left once
    assert credited(GraphHCA(), group_of(good, bad)) == approx([[1, 0], [-1, 0]])
    # three numbers x, x, y: (x - y)/3 and -2(x - y)/3 over √2/3·(x - y)
    assert credited(GraphHCA(), group_of(good, good, bad)) == approx([[0.5**0.5, 0]] * 2 + [[-(2**0.5), 0]])
    # a step that stays where it is has credit log 1, one that reaches the goal more
    assert credited(GraphHCA(), group_of(episode("aa", [0, 1], feedback=SUCCESS))) == approx([[-1, 1]])


def test_logarithms_pull_the_mean_below_a_step_that_leads_nowhere() -> None:
    # V(s) = γ(1 + 0 + V(s) + 1)/4 = 0.623: the goal from there, failure, and a step against the wall before the goal
    attempts = group_of(episode("s", [1], feedback=SUCCESS), episode("s", [0]), episode("ss", [0, 1], feedback=SUCCESS))
    assert state_values([["s", True], ["s", False], ["s", "s", True]], 0.95)["s"] == pytest.approx(1.9 / 3.05)
    (_, _, (wall, _)) = credited(GraphHCA(), attempts)
    assert wall > 0  # log 1, log 0.01 and log V(s): the failure weighs more than all others
    (_, _, (wall, goal)) = credited(GraphHCA(change="value"), attempts)
    changes = [1 - 1.9 / 3.05, -1.9 / 3.05, 0.0, 1 - 1.9 / 3.05]
    mean = sum(changes) / 4
    deviation = (sum((each - mean) ** 2 for each in changes) / 4) ** 0.5
    assert (wall, goal) == pytest.approx((-mean / deviation, (changes[0] - mean) / deviation), abs=1e-4)
    assert wall < 0


def test_graph_hca_adds_the_estimators_advantage_and_spreads_over_tokens() -> None:
    group = group_of(episode("ab", [0, 1], 2, SUCCESS), episode("ac", [0, 0], 2))
    advantages = (torch.tensor([4.0, 3, 2, 1]), torch.zeros(4))
    result = credited(GraphHCA(episode_weight=0.5), replace(group, advantages=advantages))
    assert result == approx([[3, 2.5, 1, 0.5], [-1, -1, 0, 0]])


def test_gigpo_compares_returns_from_the_same_observation() -> None:
    group = group_of(episode("ab", [0, 2]), episode("ac", [0, 0]))
    # episodes: ±1. At a, with γ = 0.5: returns 1 and 0, mean 0.5, deviation 0.5
    scaled = credited(GiGPO(weight=2.0, discount=0.5), group)
    assert scaled == approx([[1 + 2 * 1, 1], [-1 - 2 * 1, -1]])
    plain = credited(GiGPO(weight=2.0, discount=0.5, scaled=False), group)
    assert plain == approx([[1 + 2 * 0.5, 1], [-1 - 2 * 0.5, -1]])


def test_hgpo_averages_over_lengths_of_history() -> None:
    group = group_of(episode("xz", [0, 1]), episode("xz", [0, 0]), episode("yz", [0, 0]))
    # last observation only, weight 2: at x ±1/2, at y alone, at z 2/3, -1/3, -1/3
    # last two, weight 3: at (x, z) ±1/2, at (y, z) alone
    result = credited(HGPO(history=1, discount=1.0, scaled=False), group)
    first, second = (2 * 2 / 3 + 3 / 2) / 5, (2 * -1 / 3 - 3 / 2) / 5
    assert result == approx([[0.5, first], [-0.5, second], [0, -1 / 3]])


# ------------------------------------------------------------------ hcapo


def by_attempt(log_probs: dict[str, list[float]]) -> FakeScorer:
    """Log-probabilities by the first prompt of an attempt, which its last line names."""
    return FakeScorer(log_prob=lambda asked: torch.tensor(log_probs[asked[0][0].splitlines()[-1]]))


def test_hcapo_credits_steps_that_are_likelier_in_the_light_of_the_end() -> None:
    group = group_of(episode("ab", [0, 1], feedback=REACHED), episode("cd", [0, 0]))
    scorer = by_attempt({"a": [math.log(0.6), math.log(0.2)], "c": [-1.0, -2.0]})
    # h = 0.6, 0.2, so ρ = 1.5 → 1.2, 0.5 → 0.8; Q = 1.2·0.5, 0.8; 0, 0
    mean, deviation = 0.35, math.sqrt((0.25**2 + 0.45**2 + 2 * 0.35**2) / 4)
    late = (0.8 - mean) / deviation
    result = credited(HCAPO(discount=0.5, temperature=1.0), group, scorer)
    assert result == approx([[0.5 + 0.25 / deviation, 0.5 + late], [-0.5 - mean / deviation] * 2])
    # smoothing: Q = 0.7, 0.8
    mean, deviation = 0.375, math.sqrt((0.325**2 + 0.425**2 + 2 * 0.375**2) / 4)
    result = credited(HCAPO(discount=0.5, temperature=1.0, smoothing=True), group, scorer)
    assert result[0] == pytest.approx([0.5 + 0.325 / deviation, 0.5 + 0.425 / deviation], abs=1e-4)


def test_hcapo_takes_the_mean_over_the_tokens_of_a_step() -> None:
    long = episode("ab", [0, 1], 2, REACHED)
    log_probs = [math.log(0.9), math.log(0.4), math.log(0.6), math.log(0.6)]  # √0.36 = 0.6, twice
    # Q is 1 for both steps: no difference, no credit
    assert credited(HCAPO(discount=1.0), group_of(long), by_attempt({"a": log_probs})) == [[0.0] * 4]


def test_hcapo_does_a_success_no_harm() -> None:
    better, worse = Feedback(reward=2.0, success=True), Feedback(reward=1.0, success=True)
    group = group_of(episode("a", [0], feedback=better), episode("b", [0], feedback=worse))
    # Q = 2 and 1: credit ±1, of which -1 is taken back
    assert credited(HCAPO(), group) == approx([[0.5 + 1], [-0.5]])


def test_hcapo_shows_what_came_of_it_or_else_the_end() -> None:
    seen: list[Exchange] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.append(asked)
        return torch.zeros(2)

    told = Feedback(reward=0.0, outcome="the door stayed shut")
    credited(HCAPO(), group_of(episode("ab", [0, 0], feedback=told), episode("cd", [0, 0])), FakeScorer(log_prob))
    assert seen[0][0] == ("How it ended: the door stayed shut\na", "How it ended: the door stayed shut\nb")
    assert seen[1][0][0] == "How it ended: d\nmove\nc"


def test_what_does_not_fit_into_the_context_is_not_asked() -> None:
    scorer = Cramped(log_prob=refuse, teacher_log_prob=refuse)
    group = group_of(episode("a", [0], feedback=SUCCESS), *(episode("b", [0]) for _ in range(2)))
    for method in (OPD(), RLSD(), RLCSD()):
        assert credited(method, group, scorer) == [each.tolist() for each in group.advantages]
    # all steps are equally likely then: Q is 1, 0, 0, of mean 1/3 and deviation √2/3
    assert credited(HCAPO(), group, scorer) == approx([[2 / 3 + 2**0.5], [-1 / 3 - 0.5**0.5], [-1 / 3 - 0.5**0.5]])


# ------------------------------------------------------------------ opd, rlsd, rlcsd


def test_opd_adds_the_teachers_log_ratio_where_something_was_revealed() -> None:
    group = group_of(attempt((1, 2), SUCCESS), attempt((3, 4), FAILURE))
    # the failure is shown the success, -0.25 + 0.1 by default; the lone success keeps its advantage
    result = credited(OPD(reward_weight=2.0, teacher_weight=3.0), group)
    assert result == approx([[1, 1], [-1 - 0.45, -1 - 0.45]])


def test_opd_clips_what_the_teacher_all_but_rules_out() -> None:
    told = attempt((1, 2), Feedback(reward=0.0, correction="right"))
    seen: list[Exchange] = []

    def log_prob(asked: Exchange) -> torch.Tensor:
        seen.append(asked)
        return torch.tensor([-30.0, -0.1])

    scorer = FakeScorer(teacher_log_prob=log_prob)
    assert credited(OPD(), group_of(told), scorer) == approx([[-5, 0]])
    assert credited(OPD(clip=None, introduce=False), group_of(told), scorer) == approx([[-29.9, 0]])
    assert [prompts for prompts, _ in seen] == [("A correct answer: right\nasked",), ("right\nasked",)]


def test_rlsd_stretches_in_the_direction_of_the_reward() -> None:
    told = Feedback(reward=0.0, correction="right"), Feedback(reward=1.0, correction="right")
    group = group_of(attempt((1, 2), told[0]), attempt((3, 4), told[1]))
    scorer = FakeScorer(teacher_log_prob=lambda _: torch.tensor([-0.2, -3.0]))  # shifts of -0.1 and -2.9
    up, down = math.exp(0.1), math.exp(-0.1)
    assert credited(RLSD(), group, scorer) == approx(
        [[-0.5 * (0.5 + 0.5 * up), -0.5 * (0.5 + 0.5 * 1.2)], [0.5 * (0.5 + 0.5 * down), 0.5 * (0.5 + 0.5 * 0.8)]]
    )


def test_rlsd_fades_and_resumes_where_it_was() -> None:
    method, resumed = RLSD(share_steps=2), RLSD(share_steps=2)
    shares = []
    for _ in range(3):
        resumed.load_state(method.state())
        for each in (method, resumed):
            each.fit([], FakeScorer())
        assert method.share_now == resumed.share_now
        shares.append(method.share_now)
    assert shares == [0.5, 0.25, 0.0]
    group = group_of(attempt((1,), SUCCESS), attempt((2,), FAILURE))
    assert credited(method, group, FakeScorer(teacher_log_prob=refuse)) == [[0.5], [-0.5]]


RIGHT_AND_WRONG = {"r": 0.5, "v": 0.3, "w": 0.1}


def by_answer(asked: Exchange) -> torch.Tensor:
    """The first token depends on the answer that is shown, the second does not."""
    shown = asked[0][0].splitlines()[0][-1]
    return torch.tensor([math.log(RIGHT_AND_WRONG[shown]), -1.0])


def test_rlcsd_adds_the_contrast_and_keeps_the_sign() -> None:
    kinds = {"r": SUCCESS, "r ": SUCCESS, "v": FAILURE, "w": FAILURE}
    group = group_of(*(attempt((1, 2), each, text=text) for text, each in kinds.items()))
    scorer = FakeScorer(teacher_log_prob=by_answer)
    # successes see r against v and w: log 0.5 - log 0.2; the failure v sees r against w, the failure w r against v
    success, failures = math.log(0.5 / 0.2), (math.log(0.5 / 0.1), math.log(0.5 / 0.3))
    result = credited(RLCSD(strength=0.4, temperature=1.0), group, scorer)
    assert result == approx(
        [[0.5 + 0.4 * math.tanh(success), 0.5]] * 2 + [[-0.5 + 0.4 * math.tanh(each), -0.5] for each in failures]
    )
    # with a strength above |A| the failures' first token ends at 0, not above
    assert credited(RLCSD(strength=2.0), group, scorer) == approx([[2.5, 0.5]] * 2 + [[0, -0.5]] * 2)
    assert credited(RLCSD(num_wrong=1, temperature=1.0), group, scorer)[0] == pytest.approx(
        [0.5 + 0.5 * math.tanh(math.log(0.5 / 0.3)), 0.5]
    )
    assert credited(RLCSD(strength=0.4, threshold=0.4), group, scorer) == approx([[0.5, 0.5]] * 2 + [[-0.5, -0.5]] * 2)


def test_rlcsd_leaves_alone_what_has_no_right_or_no_wrong_sibling() -> None:
    group = group_of(attempt((1, 2), SUCCESS, text="r"), attempt((1, 2), FAILURE, text="w"))
    assert credited(RLCSD(), group) == [[0.5, 0.5], [-0.5, -0.5]]


# ------------------------------------------------------------------ bad input


def test_methods_name_what_they_cannot_read() -> None:
    array = episode([np.zeros(2, np.float32)], [0.0])
    for method, trajectory in (
        (Vine(), episode("ab", [0, 0])),
        (Vine(), array),
        (HCAPO(), array),
        (HCA(), attempt()),
        (Cocoa(), attempt()),
    ):
        with pytest.raises(ConfigError, match="hindsight: [a-z]+: .* use "):
            method([group_of(trajectory)], FakeScorer())
