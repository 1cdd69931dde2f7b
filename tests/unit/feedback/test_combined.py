"""Several sources of feedback as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from backsight.errors import ConfigError, RewardError
from backsight.feedback.combined import Combined
from backsight.types import Action, Feedback, Step, Trajectory


class Says:
    """Gives everybody the same feedback, and remembers what it was shown."""

    def __init__(self, **feedback: Any) -> None:
        self.feedback = Feedback(**feedback)
        self.busy = feedback.get("sources", ())
        self.shown: list[Feedback] = []

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        self.shown += [trajectory.feedback for trajectory in trajectories]
        return [self.feedback] * len(trajectories)


EPISODE = Trajectory(0, tuple(Step("o", Action((1,), torch.zeros(1)), reward=reward) for reward in (5.0, 6.0)))
TASK = Says(rewards={"exact": 1.0}, reward=2.0, success=True, text="short", outcome="it rained", sources=("task",))
JUDGE = Says(rewards={"rating": 0.5}, reward=0.5, success=False, text="kind", correction="no", sources=("judge",))


def test_rewards_are_weighted_and_named_rewards_are_kept() -> None:
    (said,) = Combined([TASK, JUDGE], weights=[0.5, 4.0])([EPISODE], [0])
    assert said.reward == 0.5 * 2.0 + 4.0 * 0.5
    assert said.rewards == {"exact": 1.0, "rating": 0.5}
    assert (said.success, said.correction, said.outcome) == (True, "no", "it rained")
    assert (said.text, said.sources) == ("short\nkind", ("task", "judge"))


def test_weight_zero_is_a_metric_and_nothing_but_metrics_is_no_reward() -> None:
    (said,) = Combined([TASK, JUDGE], weights=[0.0, 1.0])([EPISODE], [0])
    assert (said.reward, said.rewards["exact"]) == (0.5, 1.0)
    (silent,) = Combined([TASK], weights=[0.0])([EPISODE], [0])
    assert silent.reward is None


def test_rewards_of_steps_replace_what_was_paid_only_where_they_weigh_something() -> None:
    steps = Says(step_rewards=(1.0, 2.0))
    (said,) = Combined([steps, TASK, Says(step_rewards=(10.0, 0.0))], weights=[1.0, 1.0, 0.5])([EPISODE], [0])
    assert said.step_rewards == (1.0 + 5.0, 2.0)
    assert EPISODE.with_feedback(said).rewards == [6.0, 2.0 + 2.0]
    (metric,) = Combined([steps, TASK], weights=[0.0, 1.0])([EPISODE], [0])
    assert EPISODE.with_feedback(metric).rewards == [5.0, 6.0 + 2.0]


def test_later_sources_see_what_earlier_ones_revealed() -> None:
    first, second = Says(outcome="late"), Says()
    Combined([first, second])([EPISODE], [0])
    assert (first.shown[0].outcome, second.shown[0].outcome) == (None, "late")


def test_two_rewards_of_one_name_are_refused() -> None:
    with pytest.raises(RewardError, match="reward 'exact': given by two sources"):
        Combined([TASK, TASK])([EPISODE], [0])


@pytest.mark.parametrize(("sources", "weights"), [([], None), ([TASK], [1.0, 1.0])])
def test_weights_and_sources_are_as_many(sources: list[Says], weights: list[float] | None) -> None:
    with pytest.raises(ConfigError, match="weights"):
        Combined(sources, weights)


def test_nobody_to_judge_and_who_is_busy() -> None:
    both = Combined([TASK, JUDGE])
    assert both([], []) == []
    assert both.busy == ["task", "judge"]


def test_rewards_that_cancel_are_nothing() -> None:
    parts = [Says(rewards={name: value}, reward=value) for name, value in {"a": 0.1, "b": 0.2, "c": -0.3}.items()]
    (said,) = Combined(parts)([EPISODE], [0])
    assert said.reward == 0.0
