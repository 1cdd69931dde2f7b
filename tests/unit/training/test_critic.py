"""The critic learns what to expect, and tells what was better than that."""

from dataclasses import replace

import pytest
import torch
from tiny_models import tiny_policy
from unit.hindsight.fakes import FakeScorer

from backsight.errors import RewardError
from backsight.hindsight.base import number_attempts, policy_gradient_row
from backsight.hindsight.reward.options import ShapingOptions
from backsight.hindsight.reward.shaping import Shaping
from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.critic import Critic
from backsight.types import Action, Feedback, Group, Step, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=1), algorithm="ppo", gae_lambda=1.0, critic_learning_rate=1e-2, discount=0.5
)


def attempt(prompt: str, reward: float) -> Trajectory:
    step = Step(prompt, Action((7, 8), torch.zeros(2), "x"), terminated=True)
    return Trajectory(prompt, (step,), Feedback(reward=reward))


GROUPS = number_attempts([Group("good", (attempt("good", 1.0),)), Group("bad", (attempt("bad", 0.0),))])


def test_before_anything_was_seen_nothing_is_expected() -> None:
    torch.manual_seed(0)
    estimated = Critic(tiny_policy(), CONFIG).estimate(GROUPS)
    advantages = torch.cat([each.advantages[0] for each in estimated])
    torch.testing.assert_close(advantages, torch.tensor([1.0, 1.0, -1.0, -1.0]))


def test_what_was_expected_is_no_advantage() -> None:
    torch.manual_seed(0)
    critic = Critic(tiny_policy(), CONFIG)
    for _ in range(60):
        critic.estimate(GROUPS)
        critic.learn()
    surprise = critic.estimate([Group("bad", (attempt("bad", 1.0), attempt("good", 1.0)))])
    better, expected = (each.mean() for each in surprise[0].advantages)
    assert better > 0 > expected


def test_its_state_goes_into_a_checkpoint() -> None:
    torch.manual_seed(0)
    policy = tiny_policy()
    straight, half, resumed = (Critic(policy, CONFIG) for _ in range(3))
    for critic in (straight, half):
        torch.manual_seed(1)
        critic.estimate(GROUPS)
        critic.learn()
    resumed.load_state(half.state())
    for critic in (straight, resumed):
        critic.estimate(GROUPS)
        critic.learn()
    for one, other in zip(straight.state().items(), resumed.state().items(), strict=True):
        assert one[0] == other[0] and torch.equal(one[1], other[1])


def test_it_learns_from_the_newest_rewards_alone() -> None:
    """Methods may judge anew and ask again; what was thought before is not learnt."""
    torch.manual_seed(0)
    once, twice = (Critic(tiny_policy(), CONFIG) for _ in range(2))
    torch.manual_seed(1)
    once.estimate(GROUPS)
    torch.manual_seed(1)
    twice.estimate(number_attempts([Group("good", (attempt("good", 9.0),))]))
    twice.estimate(GROUPS)
    for critic in (once, twice):
        critic.learn()
        critic.learn()  # the second time there is nothing new
    for (name, one), (_, other) in zip(once.state().items(), twice.state().items(), strict=True):
        assert torch.equal(one, other), name


def test_no_attempts_are_no_reason_to_fail() -> None:
    critic = Critic(tiny_policy(), CONFIG)
    assert critic.estimate([]) == [] and critic.estimate([Group("start")]) == [Group("start")]
    assert critic.state() == {}


def walk(rewards: list[float], goes_on: bool, feedback: Feedback = Feedback()) -> Trajectory:  # noqa: B008
    """A step for each reward, always before the same prompt; a limit cuts it off, or it ends."""
    steps = tuple(
        Step("here", Action((7,), torch.zeros(1), "x"), reward, truncated=goes_on and place == len(rewards) - 1)
        for place, reward in enumerate(rewards)
    )
    return Trajectory("start", steps, feedback, next_observation="here" if goes_on else None)


def test_what_a_method_invents_is_no_target() -> None:
    torch.manual_seed(0)
    critic = Critic(tiny_policy(), CONFIG)
    failed = number_attempts([Group("bad", (attempt("bad", 0.0), attempt("bad", 0.0)))])
    for _ in range(60):
        critic.estimate(failed)
        invented = attempt("bad", 1.0)  # as `relabel` and `gold_anchor` ask what a success would be worth
        critic.estimate([Group("bad", (*failed[0].trajectories, invented))])
        critic.learn()
    assert critic.seen is None
    features = critic._features([policy_gradient_row(failed[0].trajectories[0], torch.zeros(2))])
    assert float(critic._values(features[0]).detach().abs().max()) < 0.02


def test_a_limit_of_time_is_no_end() -> None:
    """With a reward of 1 at every step for ever, a critic that has learnt is never surprised."""
    torch.manual_seed(0)
    critic = Critic(tiny_policy(), CONFIG.model_copy(update={"gae_lambda": 0.0}))
    groups = number_attempts([Group("start", (walk([1.0] * 3, goes_on=True),))])
    for _ in range(150):
        critic.estimate(groups)
        critic.learn()
    features = critic._features([policy_gradient_row(groups[0].trajectories[0], torch.zeros(3))])
    assert critic._values(features[0]).tolist() == pytest.approx([2.0] * 3, abs=0.05)  # 1/(1 - 0.5)


def test_advantages_that_differ_by_rounding_are_none() -> None:
    critic = Critic(tiny_policy(), CONFIG)
    alike = number_attempts([Group("p", tuple(attempt("p", 0.1 + noise) for noise in (0.0, 1e-9, -1e-9)))])
    (estimated,) = critic.estimate(alike)
    assert all(not each.any() for each in estimated.advantages)


def test_what_nobody_scored_is_neither_compared_nor_learnt() -> None:
    critic = Critic(tiny_policy(), CONFIG)
    silent = replace(attempt("p", 0.0), feedback=Feedback())
    (group,) = critic.estimate(number_attempts([Group("p", (attempt("p", 1.0), silent, attempt("p", 0.0)))]))
    assert [bool(each.any()) for each in group.advantages] == [True, False, True]
    assert critic.seen is not None and len(critic.seen[1]) == 4  # two decisions of each of two


def test_returns_beyond_its_precision_are_refused() -> None:
    critic = Critic(tiny_policy(), CONFIG)
    critic.estimate(number_attempts([Group("p", (attempt("p", 1e30), attempt("p", 0.0)))]))
    with pytest.raises(RewardError, match="reward: returns up to 1e\\+30: .*scale them"):
        critic.learn()


@pytest.mark.parametrize("said", ["by the environment", "by a function"])
def test_a_limit_of_time_is_no_end_of_shaped_rewards_either(said: str) -> None:
    """1 at every step, γ = 0.5 and Φ = 3: V = 2, and -1 of the shaped rewards."""
    steps = tuple(
        Step("here", Action((7,), torch.zeros(1), "x"), 1.0, truncated=last, info={"potential": 3.0}, potential=3.0)
        for last in (False, False, True)
    )
    cut_off = Trajectory("start", steps, next_observation="here")
    method = Shaping(ShapingOptions(), None if said == "by the environment" else lambda _: 3.0)
    (shaped,) = method.reconsider([Group("s", (cut_off,))], FakeScorer(discount=0.5)).groups
    critic = Critic(tiny_policy(), CONFIG)
    critic.estimate([shaped])
    critic._values = lambda features_NH: torch.full((len(features_NH),), -1.0)  # type: ignore[method-assign]
    (found,) = critic._values_behind(shaped.trajectories)
    assert found == 2.0
    advantages = critic._advantages(shaped.trajectories[0], torch.full((3,), -1.0), found)
    torch.testing.assert_close(advantages, torch.zeros(3))
