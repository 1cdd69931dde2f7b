"""Reward functions written for TRL."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from backsight.errors import ConfigError, RewardError
from backsight.feedback.reward_functions import RewardFunctions
from backsight.tasks.base import Item
from backsight.types import Action, Step, Trajectory


def attempt(text: str, prompt: Any = "p", **columns: Any) -> Trajectory:
    tokens = tuple(text.encode())
    step = Step(prompt, Action(tokens, torch.zeros(len(tokens)), text=text))
    return Trajectory(start=Item(id="1", prompt=prompt, target="hidden", columns=columns), steps=(step,))


ATTEMPTS = [attempt("a", answer="a", level=1), attempt("bbb", answer="c")]


def length(completions: list[str], **kwargs: Any) -> list[float]:
    return [float(len(completion)) for completion in completions]


def is_answer(completions: list[str], answer: list[str], **kwargs: Any) -> list[float | None]:
    return [float(c == a) if a != "skip" else None for c, a in zip(completions, answer, strict=True)]


async def slow_length(prompts: Any, completions: list[str], completion_ids: Any) -> list[float]:
    await asyncio.sleep(0)
    return [float(len(completion)) for completion in completions]


def test_weighted_sum_names_and_success() -> None:
    judge = RewardFunctions([length, is_answer], weights=[0.5, 2.0], full_marks=2.0)
    first, second = judge(ATTEMPTS, seeds=range(9))
    assert first.rewards == {"length": 1.0, "is_answer": 1.0}
    assert (first.reward, first.success) == (2.5, True)
    assert (second.reward, second.success) == (1.5, False)
    assert first.sources == ("length", "is_answer")


def test_without_weights_each_counts_once_and_without_full_marks_no_success_is_known() -> None:
    feedback = RewardFunctions([length, is_answer])(ATTEMPTS, seeds=range(9))
    assert [(each.reward, each.success) for each in feedback] == [(2.0, None), (3.0, None)]


def test_weight_zero_is_a_metric_only() -> None:
    second = RewardFunctions([length, is_answer], weights=[0.0, 1.0])(ATTEMPTS, seeds=range(9))[1]
    assert (second.reward, second.rewards["length"]) == (0.0, 3.0)


def test_weights_that_add_up_to_full_marks_reach_them() -> None:
    functions = {name: functools.partial(length) for name in "abc"}
    for name, function in functions.items():
        function.__name__ = name  # type: ignore[attr-defined]
    judge = RewardFunctions(list(functions.values()), weights=[0.7, 0.2, 0.1 - 1e-12], full_marks=1.0)
    assert judge([attempt("a")], seeds=range(9))[0].success is True


def test_none_does_not_apply_and_none_throughout_is_zero_with_unknown_success() -> None:
    skipped = attempt("aa", answer="skip")
    feedback = RewardFunctions([length, is_answer], full_marks=1.0)([skipped], seeds=range(9))[0]
    assert (feedback.rewards, feedback.reward, feedback.sources) == ({"length": 2.0}, 2.0, ("length",))
    nothing = RewardFunctions([is_answer], full_marks=0.0)([skipped], seeds=range(9))[0]
    assert (nothing.rewards, nothing.reward, nothing.success, nothing.sources) == ({}, 0.0, None, ())


def test_what_a_function_receives() -> None:
    received: dict[str, Any] = {}

    def everything(**kwargs: Any) -> list[float]:
        received.update(kwargs)
        return [0.0, 0.0]

    RewardFunctions([everything])(ATTEMPTS, seeds=range(9))
    assert received == {
        "prompts": ["p", "p"],
        "completions": ["a", "bbb"],
        "completion_ids": [[97], [98, 98, 98]],
        "answer": ["a", "c"],
        "level": [1, None],
    }


def test_only_what_a_function_names_is_passed_and_the_callbacks_of_trl_do_nothing() -> None:
    def careful(
        completions: list[str],
        level: list[int],
        trainer_state: object,
        log_extra: Any,
        log_metric: Any,
        scale: float = 2,
    ) -> list[float]:
        assert trainer_state is None
        log_extra("column", ["x", "y"])
        log_metric("name", 1.0)
        return [scale * len(completion) for completion in completions]

    assert [each.reward for each in RewardFunctions([careful])(ATTEMPTS, seeds=range(9))] == [2.0, 6.0]


def test_a_column_never_hides_the_completions() -> None:
    trajectories = [attempt("aa", completions="column", prompts="column")]
    assert RewardFunctions([length])(trajectories, seeds=range(9))[0].reward == 2.0


def test_chat_prompts_get_chat_completions() -> None:
    def content_length(completions: list[list[dict[str, str]]], **kwargs: Any) -> list[float]:
        assert completions[0][0]["role"] == "assistant"
        return [float(len(completion[0]["content"])) for completion in completions]

    chat = [{"role": "user", "content": "hello"}]
    assert RewardFunctions([content_length])([attempt("four", prompt=chat)], seeds=range(9))[0].reward == 4.0


def test_asynchronous_functions_run_together() -> None:
    meeting = asyncio.Event()

    async def waits(**kwargs: Any) -> list[float]:
        await asyncio.wait_for(meeting.wait(), timeout=5)
        return [1.0, 2.0]

    async def comes(**kwargs: Any) -> list[float]:
        meeting.set()
        return [10.0, 20.0]

    assert [each.reward for each in RewardFunctions([waits, comes])(ATTEMPTS, seeds=range(9))] == [11.0, 22.0]


def test_inside_a_running_event_loop_as_in_a_notebook() -> None:
    async def cell() -> list[float | None]:
        return [each.reward for each in RewardFunctions([slow_length])(ATTEMPTS, seeds=range(9))]

    assert asyncio.run(cell()) == [1.0, 3.0]


def test_synchronous_functions_stay_in_the_main_thread() -> None:
    def which_thread(completions: list[str], **kwargs: Any) -> list[float]:
        return [float(threading.current_thread() is threading.main_thread())] * len(completions)

    feedback = RewardFunctions([slow_length, which_thread])(ATTEMPTS, seeds=range(9))
    assert feedback[0].rewards == {"slow_length": 1.0, "which_thread": 1.0}


def test_callable_objects_and_tensors_are_welcome() -> None:
    class Halves:
        def __call__(self, completions: list[str]) -> torch.Tensor:
            return torch.full((len(completions),), 0.5)

    class Quarters:
        async def __call__(self, completions: list[str]) -> list[bool]:
            return [True] * len(completions)

    feedback = RewardFunctions([Halves(), Quarters()], weights=[1, 0.25])(ATTEMPTS, seeds=range(9))
    assert feedback[1].rewards == {"Halves": 0.5, "Quarters": 1.0}
    assert feedback[1].reward == 0.75


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1.0], "returned 1 rewards: return 2"),
        ([1.0, 2.0, 3.0], "returned 3 rewards: return 2"),
        (0.5, "returned 0.5: return a list of 2 numbers"),
        (None, "returned None: return a list of 2 numbers"),
        ([1.0, "2"], "returned '2' for completion 1"),
        ([float("nan"), 1.0], "returned nan for completion 0"),
        ([1.0, float("inf")], "returned inf for completion 1"),
        (torch.ones(2, 2), "for completion 0"),
    ],
)
def test_a_broken_answer_is_attributed_to_its_function(answer: Any, message: str) -> None:
    def culprit(completions: list[str]) -> Any:
        return answer

    async def late_culprit(completions: list[str]) -> Any:
        return answer

    for function in (culprit, late_culprit):
        with pytest.raises(RewardError, match=message) as caught:
            RewardFunctions([length, function])(ATTEMPTS, seeds=range(9))
        assert caught.value.field == f"reward function '{function.__name__}'"


def test_a_function_that_raises_is_named_and_its_error_kept() -> None:
    def culprit(**kwargs: Any) -> list[float]:
        raise ZeroDivisionError("oh")

    async def late_culprit(**kwargs: Any) -> list[float]:
        raise ZeroDivisionError("oh")

    for function in (culprit, late_culprit):
        with pytest.raises(RewardError, match=f"'{function.__name__}': raised ZeroDivisionError: oh") as caught:
            RewardFunctions([length, slow_length, function])(ATTEMPTS, seeds=range(9))
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_column_that_is_not_there_is_asked_for_by_name() -> None:
    def wants(completions: list[str], solution: list[str]) -> list[float]:
        return [0.0] * len(completions)

    with pytest.raises(RewardError, match="'wants': asks for 'solution': .*answer, level"):
        RewardFunctions([wants])(ATTEMPTS, seeds=range(9))


@pytest.mark.parametrize(
    ("functions", "weights", "field"),
    [
        ([], None, "reward_funcs"),
        ([length, length], None, "reward_funcs"),
        (["org/reward-model"], None, "reward_funcs"),
        ([length, is_answer], [1.0], "reward_weights"),
    ],
)
def test_a_choice_of_functions_that_cannot_work(functions: list[Callable[..., Any]], weights: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RewardFunctions(functions, weights)
    assert caught.value.field == field


def test_no_trajectories_no_calls() -> None:
    assert RewardFunctions([length])([], seeds=range(9)) == []
