"""The textbook call: its contract, and that it learns what it is told to learn."""

import math
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from backsight import rlhf_finetune
from backsight.errors import BacksightError, ConfigError, ModelError, RewardError, SpaceError
from backsight.reports.run_folder import RunReader

ZERO = np.zeros(1, np.float32)


class Counted(gym.Env):
    """Pays 1 for action 0 and 0 for action 1, over and over; counts what it is asked."""

    observation_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space: Any = spaces.Discrete(2)

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.lengths.append(0)
        return ZERO, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.lengths[-1] += 1
        return ZERO, float(action == 0), False, False, {}


class SecondThoughts(Counted):
    """Finds afterwards that action 1 was the better one."""

    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> float:
        return float(action == 1)


class KnowsTheEnd(Counted):
    """Judges by how its latest episode went, which the next one overwrites."""

    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> float:
        return float(len(self.lengths))


def network(inputs: int = 1, outputs: int = 2, *, softmax: bool = False) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Linear(inputs, 16), nn.Tanh(), nn.Linear(16, outputs), *([nn.Softmax(-1)] if softmax else [])]
    return nn.Sequential(*layers)


def share_of_first(model: nn.Module) -> float:
    """Probability of action 0."""
    with torch.no_grad():
        return float(model(torch.zeros(1, 1)).softmax(-1)[0, 0])


def test_the_model_is_trained_in_place_and_every_episode_is_reported() -> None:
    env, model = Counted(), network()
    before = share_of_first(model)
    result = rlhf_finetune(model, env, num_episodes=25, num_steps=4, learning_rate=0.01)
    assert result.model is model
    assert share_of_first(model) > before
    assert env.lengths == [4] * 25, "num_steps ends an episode that would go on"
    assert len(result.episode_returns) == 25
    assert all(0 <= earned <= 4 for earned in result.episode_returns)
    assert result.hindsight_returns == []


@pytest.mark.parametrize("softmax", [True, False], ids=["probabilities", "logits"])
def test_without_hindsight_the_returns_drive_the_update(softmax: bool) -> None:
    result = rlhf_finetune(network(softmax=softmax), Counted(), 200, 4, 0.01)
    assert sum(result.episode_returns[-20:]) / 20 > 3.7


def test_hindsight_drives_the_update_where_there_is_any() -> None:
    result = rlhf_finetune(network(), SecondThoughts(), 200, 4, 0.01)
    assert sum(result.hindsight_returns[-20:]) / 20 > 3.7
    # what the environment paid at once is still what is reported
    assert result.episode_returns == [4 - judged for judged in result.hindsight_returns]


def test_an_episode_is_judged_before_the_next_one_begins() -> None:
    result = rlhf_finetune(network(), KnowsTheEnd(), 12, 3, 0.01)
    assert result.hindsight_returns == [3.0 * number for number in range(1, 13)]


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    runs = [rlhf_finetune(network(), Counted(), 15, 5, 0.01, seed=seed) for seed in (1, 1, 2)]
    weights = [torch.cat([each.flatten() for each in run.model.parameters()]) for run in runs]
    assert runs[0].episode_returns == runs[1].episode_returns != runs[2].episode_returns
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("is_training", [True, False])
def test_the_call_leaves_the_callers_mode_and_random_state_alone(is_training: bool) -> None:
    model = network().train(is_training)
    state = torch.get_rng_state()
    rlhf_finetune(model, Counted(), 3, 2, 0.01)
    assert model.training == is_training
    assert torch.equal(torch.get_rng_state(), state)


class Spaces(Counted):
    """Any spaces; pays at random."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        super().__init__()
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        super().reset(**settings)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        return self.observation_space.sample(), float(self.np_random.normal()), False, False, {}


UNIT_BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
BITS = spaces.MultiBinary(2)


@pytest.mark.parametrize(
    ("observation_space", "width"),
    [
        (UNIT_BOX, 2),
        (spaces.Discrete(3), 3),
        (spaces.MultiDiscrete([2, 3]), 5),
        (BITS, 2),
        (spaces.Dict(position=UNIT_BOX, room=spaces.Discrete(3)), 5),
        (spaces.Dict(observation=UNIT_BOX, achieved_goal=BITS, desired_goal=BITS), 6),
    ],
)
@pytest.mark.parametrize(
    ("action_space", "outputs"),
    [(spaces.Discrete(2, start=3), 2), (spaces.MultiDiscrete([2, 3]), 5), (UNIT_BOX, 2), (UNIT_BOX, 4)],
)
def test_every_pair_of_spaces_trains(observation_space: Any, width: int, action_space: Any, outputs: int) -> None:
    model = network(width, outputs)
    before = torch.cat([each.detach().flatten().clone() for each in model.parameters()])
    rlhf_finetune(model, Spaces(observation_space, action_space), 4, 3, 0.01)
    after = torch.cat([each.detach().flatten() for each in model.parameters()])
    assert after.isfinite().all()
    assert not torch.equal(before, after)


class Reach(Counted):
    """Sets one bit of two, and never the one that is asked for; `compute_reward` knows what it was right for."""

    observation_space: Any = spaces.Dict(observation=BITS, achieved_goal=BITS, desired_goal=BITS)

    def reset(self, **settings: Any) -> tuple[Any, dict[str, Any]]:
        super().reset(**settings)
        return self._seen(np.zeros(2, np.int8)), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._seen(np.eye(2, dtype=np.int8)[action]), -1.0, True, False, {}

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> float:
        return 0.0 if np.array_equal(achieved, desired) else -1.0

    def _seen(self, bits: Any) -> dict[str, Any]:
        return {"observation": bits, "achieved_goal": bits, "desired_goal": np.ones(2, np.int8)}


def test_from_goals_it_never_reached_it_learns_the_ones_that_it_did() -> None:
    model = network(6, 2, softmax=True)
    result = rlhf_finetune(model, Reach(), 300, 1, 0.01)
    assert set(result.episode_returns) == {-1.0}
    asked = torch.tensor([[0.0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]])  # observation, achieved, desired
    assert model(asked).diagonal().min() > 0.95


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"num_episodes": 0}, ConfigError, "num_episodes: 0: .* at least 1"),
        ({"num_episodes": True}, ConfigError, "num_episodes: True"),
        ({"num_steps": 2.5}, ConfigError, "num_steps: 2.5: .* whole number"),
        ({"learning_rate": 0.0}, ConfigError, "learning_rate: 0.0: .* above 0"),
        ({"learning_rate": math.nan}, ConfigError, "learning_rate: nan"),
        ({"learning_rate": math.inf}, ConfigError, "learning_rate: inf"),
        ({"learning_rate": "0.01"}, ConfigError, "learning_rate: 0.01: .* finite number"),
        ({"seed": -1}, ConfigError, "seed: -1"),
        ({"model": lambda state: state}, ModelError, "is no torch.nn.Module"),
        ({"model": network(outputs=3)}, SpaceError, "return 2 probabilities or logits"),
        ({"env": "CartPole-v1"}, SpaceError, "env: str: is no gymnasium.Env"),
        ({"env": Spaces(UNIT_BOX, BITS)}, SpaceError, "env.action_space: MultiBinary"),
    ],
)
def test_what_does_not_fit_is_one_clear_error_before_the_first_episode(
    changes: dict[str, Any], error: type[BacksightError], message: str
) -> None:
    env = Counted()
    arguments = {"model": network(), "env": env, "num_episodes": 10, "num_steps": 5, "learning_rate": 0.01}
    with pytest.raises(error, match=message) as caught:
        rlhf_finetune(**{**arguments, **changes})
    assert "\n" not in str(caught.value)
    assert env.lengths == []


class NoOpinion(Counted):
    def hindsight_reward(self, state: Any, action: int, next_state: Any) -> None:
        return None


def test_hindsight_that_is_no_number_is_attributed_to_the_environment() -> None:
    with pytest.raises(RewardError, match="env.hindsight_reward, step 0: None"):
        rlhf_finetune(network(), NoOpinion(), 10, 5, 0.01)


class Breaks(Counted):
    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        raise OSError("the robot fell over")


def test_an_environment_that_breaks_leaves_the_model_in_its_mode() -> None:
    model = network().train()
    with pytest.raises(RewardError, match="env.step, step 0 .*raised OSError: the robot fell over"):
        rlhf_finetune(model, Breaks(), 10, 5, 0.01)
    assert model.training


def test_a_run_can_be_recorded_in_a_folder(tmp_path: Path) -> None:
    env = gym.make("CartPole-v1")
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    rlhf_finetune(model, env, num_episodes=20, num_steps=30, learning_rate=0.01, output_dir=str(tmp_path))
    run = RunReader(tmp_path / "CartPole-v1-relabel")
    rows = run.trajectories()
    assert [row["step"] for row in run.metrics()] == [1, 2]
    assert {row["turn"] for row in rows if row["attempt"] == 0} >= set(range(8))
    assert len(rows[0]["prompt"]) == 4 and rows[0]["num_tokens"] == 1
    (first, *_) = run.traces.read(1)
    assert first["turns"] == [1] * len(first["pieces"]) and set(first["pieces"]) <= {"0", "1"}
    assert sum(math.exp(log_prob) for _, log_prob in first["alternatives"][0]) == pytest.approx(1, abs=1e-3)
