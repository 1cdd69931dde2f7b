"""Steps compared with those at which siblings observed the same: once, and by lengths of history."""

from unit.hindsight.fakes import FakeScorer, approx, episode, give_credit, group_of

from backsight.hindsight.advantage.options import GiGPOOptions, HGPOOptions


def test_gigpo_compares_returns_from_the_same_observation() -> None:
    group = group_of(episode("ab", [0, 2]), episode("ac", [0, 0]))
    # episodes: ±1. At a, with γ = 0.5: returns 1 and 0, mean 0.5, deviation of the sample √0.5
    scorer = FakeScorer(discount=0.5)
    scaled = give_credit(GiGPOOptions(weight=2.0), group, scorer)
    step = 2 * 0.5 / 0.5**0.5
    assert scaled == approx([[1 + step, 1], [-1 - step, -1]])
    plain = give_credit(GiGPOOptions(weight=2.0, scaled=False), group, scorer)
    assert plain == approx([[1 + 2 * 0.5, 1], [-1 - 2 * 0.5, -1]])


def test_hgpo_averages_over_lengths_of_history() -> None:
    group = group_of(episode("xz", [0, 1]), episode("xz", [0, 0]), episode("yz", [0, 0]))
    # last observation only, weight 2: at x ±1/2, at y alone, at z 2/3, -1/3, -1/3
    # last two, weight 3: at (x, z) ±1/2, at (y, z) alone
    result = give_credit(HGPOOptions(history=1, scaled=False), group)
    first, second = (2 * 2 / 3 + 3 / 2) / 5, (2 * -1 / 3 - 3 / 2) / 5
    assert result == approx([[0.5, first], [-0.5, second], [0, -1 / 3]])
