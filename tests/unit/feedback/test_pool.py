"""Feedback in the background."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.pool import FeedbackPool
from backsight.feedback.reward_functions import RewardFunctions
from backsight.tasks.base import Item
from backsight.types import Action, Feedback, Group, Step, Trajectory


def group(number: int) -> Group:
    item = Item(f"prompt {number}", f"prompt {number}")
    step = Step(item.prompt, Action((1,), torch.zeros(1), text="a completion"), terminated=True)
    return Group(item, (Trajectory(item, (step,)), Trajectory(item, (step,))))


class Source:
    """Says the seed, after it did what it was told to."""

    busy = ("source",)

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.act = act
        self.threads: list[threading.Thread] = []
        self.sizes: list[int] = []

    def __call__(self, trajectories: Sequence[Trajectory], seeds: Sequence[int]) -> list[Feedback]:
        self.threads.append(threading.current_thread())
        self.sizes.append(len(trajectories))
        self.act()
        return [Feedback(reward=float(seed % 1000)) for seed in seeds]


def rewards(groups: Sequence[Group]) -> list[float | None]:
    return [each.feedback.reward for group in groups for each in group.trajectories]


def test_groups_are_judged_while_others_are_still_sampled() -> None:
    source, seen = Source(), []

    def sampled() -> Iterator[tuple[int, Group]]:
        for number in range(8):
            yield number, group(number)
            if number == 4:  # two calls' worth has been handed on
                deadline = time.monotonic() + 20
                while len(source.sizes) < 2 and time.monotonic() < deadline:
                    time.sleep(0.001)
                seen.append(len(source.sizes))

    pool = FeedbackPool(source)
    answered = pool.wait(pool.submit(sampled(), 8, seed=0))
    assert seen == [2] and source.sizes == [4, 4, 4, 4]
    assert [each.start.prompt for each in answered] == [f"prompt {number}" for number in range(8)]
    assert threading.main_thread() not in source.threads


def test_the_order_in_which_groups_are_finished_changes_nothing() -> None:
    numbered = [(number, group(number)) for number in range(6)]
    answers = []
    for order in (numbered, numbered[::-1], numbered[3:] + numbered[:3]):
        pool = FeedbackPool(Source(), workers=3)
        answers.append(rewards(pool.wait(pool.submit(order, 6, seed=7))))
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0])) == 12  # siblings have seeds of their own


def test_who_hangs_is_named() -> None:
    release = threading.Event()

    def stuck(completions: list[str]) -> list[float]:
        release.wait(60)
        return [0.0] * len(completions)

    def quick(completions: list[str]) -> list[float]:
        return [1.0] * len(completions)

    pool = FeedbackPool(RewardFunctions([quick, stuck]), timeout=0.05)
    with pytest.raises(RewardError, match="reward function 'stuck'.*0.05 s.*reward_timeout"):
        pool.wait(pool.submit([(0, group(0))], 1, seed=0))
    release.set()


def test_a_failure_is_raised_where_the_answer_is_waited_for() -> None:
    def fails() -> None:
        raise RewardError("reward function 'f'", "raised", "mend it")

    pool = FeedbackPool(Source(fails))
    pending = pool.submit([(0, group(0))], 1, seed=0)
    with pytest.raises(RewardError, match="mend it"):
        pool.wait(pending)


def test_a_function_that_sets_timers_is_asked_in_the_main_thread() -> None:
    import signal

    def timed(completions: list[str]) -> list[float]:
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, before)
        return [1.0] * len(completions)

    pool = FeedbackPool(RewardFunctions([timed]))
    with pytest.warns(UserWarning, match="'timed' only works in the main thread"):
        assert rewards(pool.wait(pool.submit([(0, group(0))], 1, seed=0))) == [1.0, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert rewards(pool.wait(pool.submit([(0, group(0))], 1, seed=0))) == [1.0, 1.0]


def test_groups_that_nobody_sampled_are_not_judged() -> None:
    source = Source()
    pool = FeedbackPool(source)
    assert pool.wait(pool.submit([(0, Group("start"))], 1, seed=0)) == [Group("start")]
    assert source.sizes == []
