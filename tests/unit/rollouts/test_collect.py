"""Episodes are played side by side, and do not depend on which."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.asking import patience
from backsight.interfaces import Pending, StepResult
from backsight.rollouts.collect import collect
from backsight.types import Action, Feedback, Observation, Sampling


class Echo:
    """Acts with its seed, and says who was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[Observation]] = []

    def act(
        self, observations: Sequence[Observation], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Action]]:
        self.asked.append(list(observations))
        for index in reversed(range(len(observations))):
            yield index, Action((seeds[index],), torch.zeros(1))


class Countdown:
    """Ends after as many steps as it starts with."""

    def __init__(self, start: int) -> None:
        self.left = start

    def reset(self) -> Observation:
        return self.left

    def step(self, action: Action) -> StepResult:
        self.left -= 1
        is_over = self.left == 0
        feedback = Feedback(text="over") if is_over else None
        return StepResult(self.left, 0.5, is_over, False, {"left": self.left}, float(self.left), feedback)


def played(side_by_side: int | None = None, seed: int = 0) -> tuple[Echo, list[tuple[int, Any]]]:
    engine = Echo()
    groups = collect(engine, Countdown, [3, 1], 2, Sampling(), seed, side_by_side=side_by_side)  # type: ignore[arg-type]
    return engine, list(groups)


def test_groups_come_as_they_are_finished_with_the_index_of_their_start() -> None:
    _, groups = played()
    assert [index for index, _ in groups] == [1, 0] and [group.start for _, group in groups] == [1, 3]
    assert all(len(group.trajectories) == 2 for _, group in groups)


def test_what_the_environment_answers_stands_in_the_steps() -> None:
    _, groups = played()
    for trajectory in groups[1][1].trajectories:
        assert trajectory.start == 3 and trajectory.prompts == (3, 2, 1) and trajectory.rewards == [0.5] * 3
        assert [step.terminated for step in trajectory.steps] == [False, False, True]
        assert [step.potential for step in trajectory.steps] == [2.0, 1.0, 0.0]
        assert [step.info["left"] for step in trajectory.steps] == [2, 1, 0]
        assert [step.feedback for step in trajectory.steps] == [None, None, Feedback(text="over")]


@pytest.mark.parametrize(
    ("side_by_side", "asked"),
    [
        (None, [[3, 3, 1, 1], [2, 2], [1, 1]]),
        (1, [[3], [2], [1], [3], [2], [1], [1], [1]]),
        (3, [[3, 3, 1], [2, 2], [1, 1], [1]]),
    ],
)
def test_so_many_play_side_by_side_and_play_the_same(side_by_side: int | None, asked: list[list[int]]) -> None:
    engine, groups = played(side_by_side)
    assert engine.asked == asked
    responses = {index: [each.responses for each in group.trajectories] for index, group in groups}
    expected = {index: [each.responses for each in group.trajectories] for index, group in played()[1]}
    assert responses == expected


def test_the_seed_decides_and_every_step_has_its_own() -> None:
    first, again, other = (
        [response for _, group in played(seed=seed)[1] for each in group.trajectories for response in each.responses]
        for seed in (0, 0, 1)
    )
    assert first == again and not set(first) & set(other)
    assert len(set(first)) == 8


@pytest.mark.parametrize("place", ["__init__", "reset", "step"])
def test_faults_of_an_environment_are_its_own(place: str) -> None:
    class Faulty(Countdown):
        def __getattribute__(self, name: str) -> Any:
            return super().__getattribute__(name) if name != place else lambda *_: sys.exit(3)

    def make(start: int) -> Faulty:
        return sys.exit(3) if place == "__init__" else Faulty(start)

    who = {"__init__": "task.episode"}.get(place, f"Faulty.{place}")
    with pytest.raises(RewardError, match=rf"^{who}: called sys.exit\(3\): mend the environment$"):
        list(collect(Echo(), make, [3], 2, Sampling(), seed=0))  # type: ignore[arg-type]


def test_an_environment_that_hangs_is_named() -> None:
    class Stuck(Countdown):
        def step(self, action: Action) -> StepResult:
            time.sleep(60)
            return super().step(action)

    with patience(0.05), pytest.raises(RewardError, match="^Stuck.step: hangs: gave no answer in 0.05 s"):
        list(collect(Echo(), Stuck, [3], 2, Sampling(), seed=0))  # type: ignore[arg-type]


class Slow(Countdown):
    """The same, but its answers are pending, and it says what is asked and what is waited for."""

    asked: ClassVar[list[str]] = []
    cancelled: ClassVar[list[int]] = []

    def reset(self) -> Any:
        return self.later("reset", super().reset)

    def step(self, action: Action) -> Any:
        result = super().step(action)
        return self.later("step", lambda: self.later("close", lambda: result) if result.terminated else result)

    def later(self, what: str, answer: Callable[[], Any]) -> Pending[Any]:
        self.asked.append(f"ask {what}")

        def wait() -> Any:
            self.asked.append(f"have {what}")
            return answer()

        return Pending(wait, lambda: self.cancelled.append(self.left))


def test_pending_answers_are_waited_for_together_and_change_nothing_else() -> None:
    Slow.asked.clear()
    groups, at_once = (list(collect(Echo(), kind, [2, 1], 1, Sampling(), 0)) for kind in (Slow, Countdown))  # type: ignore[arg-type]
    by_start = {index: group for index, group in at_once}
    assert [index for index, _ in groups] == [1, 0]
    assert all(repr(group) == repr(by_start[index]) for index, group in groups)
    first = ["ask step", "ask step", "have step", "ask close", "have step", "have close"]
    last = ["ask step", "have step", "ask close", "have close"]
    assert Slow.asked == ["ask reset", "ask reset", "have reset", "have reset", *first, *last]
    assert Slow.cancelled == []


def test_answers_that_nobody_waits_for_any_more_are_cancelled() -> None:
    class Broken(Slow):
        def reset(self) -> Any:
            return super().reset() if self.left else Pending(lambda: 1 / 0, lambda: None)

    Slow.cancelled.clear()
    with pytest.raises(ZeroDivisionError):
        list(collect(Echo(), Broken, [0, 5, 7], 1, Sampling(), 0))  # type: ignore[arg-type]
    assert Slow.cancelled == [5, 7]


def test_an_attempt_is_the_same_where_others_play_the_other_starts() -> None:
    whole = dict(played()[1])
    for index, start in ((0, 3), (1, 1)):
        ((place, group),) = collect(Echo(), Countdown, {index: start}, 2, Sampling(), 0)  # type: ignore[arg-type]
        assert place == index
        assert [each.responses for each in group.trajectories] == [each.responses for each in whole[index].trajectories]
