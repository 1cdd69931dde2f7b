"""A task whose items are episodes of a text environment."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import tiny_policy

from backsight.environments.episodes import EpisodesTask
from backsight.errors import ConfigError, DataError, SpaceError
from backsight.rollouts.collect import collect
from backsight.rollouts.engines import engine_for
from backsight.types import Action, Sampling, Trajectory


class Counter:
    """Count up to 2: `more` adds one, anything else nothing."""

    def reset(self, *, seed: int) -> tuple[str, dict[str, Any]]:
        self.count, self.first = 0, seed
        return self.told(), {}

    def told(self) -> str:
        return f"from {self.first}, have {self.count}:"

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.count += action == " more"
        done = self.count == 2
        return self.told(), float(done), done, False, {"success": done}


def test_the_items_of_a_task_are_its_seeds() -> None:
    task = EpisodesTask(Counter, seeds={"train": range(100), "test": [7, 8]}, max_turns=2)
    assert task.eval_splits == ("test",)
    assert [item.prompt for item in task.items("test")] == ["from 7, have 0:", "from 8, have 0:"]
    assert len(task.items("train")) == 100
    assert [item.id for item in task.items("train")[98:]] == ["98", "99"]
    item = task.items("test")[0]
    assert task.items("test")[0] == item
    assert task.episode(item).reset() == item.prompt


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {"seeds": seeds}
            for seeds in ({"test": [1]}, {"train": []}, {"train": 3}, {"train": {1, 2}}, {"train": "12"}, [1])
        ),
        *({"max_turns": turns} for turns in (0, 2.5, "3")),
        *({"memory": memory} for memory in (-1, "all")),
    ],
)
def test_settings_of_a_task_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        EpisodesTask(Counter, **settings)


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(DataError, match="did you mean 'test'"):
        EpisodesTask(Counter).items("tests")


def test_a_language_model_plays_with_its_own_tokens() -> None:
    """Every step holds the tokens that were sampled, and the prompt they were sampled under."""
    task = EpisodesTask(Counter, seeds={"train": [0], "test": [5]}, max_turns=3)
    engine = engine_for(tiny_policy(words=("more", "less")))
    sampling = Sampling(max_completion_length=2)
    groups = collect(engine, task.episode, task.items("train"), 2, sampling, seed=0)
    ((_, group),) = groups
    for trajectory in group.trajectories:
        assert 2 <= len(trajectory.steps) <= 3
        seen = trajectory.steps[0].observation
        for step, following in zip(trajectory.steps[:-1], trajectory.steps[1:], strict=True):
            assert len(step.action.value) == len(step.action.log_probs) <= 2
            seen = following.observation
            assert seen.startswith(f"{step.observation}{step.action.text}\n")
        (feedback,) = task.feedback()([trajectory], [0])
        assert feedback.success is not None
        assert isinstance(trajectory.with_feedback(feedback), Trajectory)


def test_an_episode_ends_when_its_next_prompt_has_no_room() -> None:
    task = EpisodesTask(Counter, max_turns=9)
    item = task.items("test")[0]
    episode = task.episode(item, fits=lambda prompt: len(prompt) < 30)
    episode.reset()
    assert episode.step(Action((1,), torch.zeros(1), " less")).truncated


def test_an_environment_in_which_two_episodes_are_played_at_once_is_refused() -> None:
    env = Counter()
    task = EpisodesTask(lambda: env)
    item = task.items("train")[0]
    first = task.episode(item)
    first.reset()
    with pytest.raises(SpaceError, match="make_env: Counter: gave the same environment to two episodes"):
        task.episode(item)
    with pytest.raises(SpaceError, match="make_env: Counter"):
        task.items("train")[1]
    for _ in range(2):
        first.step(Action((1,), torch.zeros(1), " more"))
    assert task.episode(item).reset() == item.prompt  # the first one is over
