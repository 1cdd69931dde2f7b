"""The critic learns what to expect, and tells what was better than that."""

import torch
from tiny_models import tiny_policy

from backsight.training.config import StopConfig, TrainingConfig
from backsight.training.critic import Critic
from backsight.types import Action, Feedback, Group, Step, Trajectory

CONFIG = TrainingConfig(
    stop=StopConfig(max_steps=1), algorithm="ppo", gae_lambda=1.0, critic_learning_rate=1e-2, discount=0.5
)


def attempt(prompt: str, reward: float) -> Trajectory:
    step = Step(prompt, Action((7, 8), torch.zeros(2), "x"), terminated=True)
    return Trajectory(prompt, (step,), Feedback(reward=reward))


GROUPS = [Group("good", (attempt("good", 1.0),)), Group("bad", (attempt("bad", 0.0),))]


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
    twice.estimate([Group("good", (attempt("good", 9.0),))])
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
