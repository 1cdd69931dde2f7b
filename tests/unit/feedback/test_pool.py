"""Feedback in the background."""

import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.arguments import at_step
from backsight.feedback.asking import patience
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

    pool = FeedbackPool(source, workers=1)
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


@pytest.mark.parametrize("workers", [0, 1])
def test_who_hangs_is_named(workers: int) -> None:
    release = threading.Event()

    def stuck(completions: list[str]) -> list[float]:
        release.wait(60)
        return [0.0] * len(completions)

    def quick(completions: list[str]) -> list[float]:
        return [1.0] * len(completions)

    pool = FeedbackPool(RewardFunctions([quick, stuck]), timeout=0.05, workers=workers)
    with pytest.raises(RewardError, match="reward function 'stuck'.*0.05 s.*reward_timeout"):
        pool.wait(pool.submit([(0, group(0))], 1, seed=0))
    release.set()


@pytest.mark.parametrize("is_ahead", [False, True])
def test_by_default_the_source_is_asked_in_the_thread_that_waits_with_all_at_once(is_ahead: bool) -> None:
    source = Source()
    pool = FeedbackPool(source)
    groups = [(number, group(number)) for number in range(8)]
    if is_ahead:  # sampled in another thread
        pending = ThreadPoolExecutor(1).submit(pool.submit, groups, 8, 0).result()
    else:
        pending = pool.submit(groups, 8, seed=0)
    assert source.sizes == []
    assert len(pool.wait(pending)) == 8
    assert source.sizes == [16] and source.threads == [threading.main_thread()]


def test_threads_and_the_main_thread_judge_alike() -> None:
    groups = [(number, group(number)) for number in range(5)]
    answers = [rewards(pool.wait(pool.submit(groups, 5, seed=3))) for pool in map(pool_of, (0, 1, 2))]
    assert answers[0] == answers[1] == answers[2]


def pool_of(workers: int) -> FeedbackPool:
    return FeedbackPool(Source(), workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_functions_know_the_step_of_the_run(workers: int) -> None:
    steps = []

    def asks(completions: list[str], **columns: Any) -> list[float]:
        state = columns["trainer_state"]
        steps.append((state.global_step, state.max_steps))
        return [1.0] * len(completions)

    pool = FeedbackPool(RewardFunctions([asks]), workers=workers)
    with at_step(1, max_steps=9):
        pool.wait(pool.submit([(0, group(0))], 1, seed=0, step=4))
        pool.wait(pool.submit([(0, group(0))], 1, seed=0))
    assert steps == [(4, 9), (1, 9)]


def test_time_is_what_the_run_gives() -> None:
    with patience(0.05):
        pool = FeedbackPool(Source(lambda: time.sleep(60)))
    with pytest.raises(RewardError, match="^source: hangs: gave no answer in 0.05 s"):
        pool.wait(pool.submit([(0, group(0))], 1, seed=0))


def test_a_failure_is_raised_where_the_answer_is_waited_for() -> None:
    def fails() -> None:
        raise RewardError("reward function 'f'", "raised", "mend it")

    pool = FeedbackPool(Source(fails))
    pending = pool.submit([(0, group(0))], 1, seed=0)
    with pytest.raises(RewardError, match="mend it"):
        pool.wait(pending)


def test_a_function_that_sets_timers_is_taken_out_of_the_threads() -> None:
    import signal

    def timed(completions: list[str]) -> list[float]:
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, before)
        return [1.0] * len(completions)

    pool = FeedbackPool(RewardFunctions([timed]), workers=1)
    with pytest.warns(UserWarning, match="'timed' only works in the main thread"):
        assert rewards(pool.wait(pool.submit([(0, group(0))], 1, seed=0))) == [1.0, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert rewards(pool.wait(pool.submit([(0, group(0))], 1, seed=0))) == [1.0, 1.0]


def test_a_connection_that_is_bound_to_its_thread_is_used_there() -> None:
    connection = sqlite3.connect(":memory:")

    def stored(completions: list[str]) -> list[float]:
        return [float(connection.execute("select 1").fetchone()[0])] * len(completions)

    pool = FeedbackPool(RewardFunctions([stored]), workers=1)
    with pytest.warns(UserWarning, match="'stored' only works in the main thread; set reward_workers=0"):
        assert rewards(pool.wait(pool.submit([(0, group(0))], 1, seed=0))) == [1.0, 1.0]


def test_groups_that_nobody_sampled_are_not_judged() -> None:
    source = Source()
    pool = FeedbackPool(source)
    assert pool.wait(pool.submit([(0, Group("start"))], 1, seed=0)) == [Group("start")]
    assert source.sizes == []
