"""Reward functions written for TRL."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from backsight.errors import ConfigError, RewardError
from backsight.feedback.arguments import TrainerState, at_step
from backsight.feedback.asking import patience
from backsight.feedback.endpoint import ChatEndpoint
from backsight.feedback.reward_functions import RewardFunctions, placing
from backsight.interfaces import Pending
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


def test_none_does_not_apply_and_none_throughout_is_no_score_at_all() -> None:
    skipped = attempt("aa", answer="skip")
    feedback = RewardFunctions([length, is_answer], full_marks=1.0)([skipped], seeds=range(9))[0]
    assert (feedback.rewards, feedback.reward, feedback.sources) == ({"length": 2.0}, 2.0, ("length",))
    nothing = RewardFunctions([is_answer], full_marks=0.0)([skipped], seeds=range(9))[0]
    assert (nothing.rewards, nothing.reward, nothing.success, nothing.sources) == ({}, None, None, ())


def test_what_a_function_receives() -> None:
    received: dict[str, Any] = {}

    def everything(**kwargs: Any) -> list[float]:
        received.update(kwargs)
        return [0.0, 0.0]

    with at_step(3, max_steps=12):
        RewardFunctions([everything])(ATTEMPTS, seeds=range(9))
    state = received.pop("trainer_state")
    assert (state.global_step, state.max_steps, state.epoch) == (3, 12, 0.25)
    assert received.pop("log_metric")("name", 1.0) is received.pop("log_extra")(column="name", values=[1]) is None
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
        trainer_state: Any,
        log_extra: Any,
        log_metric: Any,
        scale: float = 2,
    ) -> list[float]:
        assert trainer_state.global_step == 0
        log_extra("column", ["x", "y"])
        log_metric("name", 1.0)
        return [scale * len(completion) for completion in completions]

    assert [each.reward for each in RewardFunctions([careful])(ATTEMPTS, seeds=range(9))] == [2.0, 6.0]


def test_the_state_has_what_transformers_has() -> None:
    def facts(state: Any) -> dict[str, Any]:
        return {each.name: getattr(state, each.name) for each in dataclasses.fields(state)}

    assert facts(TrainerState()) == facts(transformers.TrainerState())


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
        ([1e39, 1.0], r"returned 1e\+39 for completion 0: is beyond what float32 holds"),
        ([1.0, 10**400], "for completion 1: is beyond what float32 holds"),
        ({0: 0.9, 1: 0.1}, "returned {0: 0.9, 1: 0.1}: return a list of 2 numbers"),
        ({5, 3}, "return a list of 2 numbers"),
        (np.array(1.0), "return a list of 2 numbers"),
        (itertools.repeat(1.0), "returned 3 rewards: return 2"),
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


def test_a_weighted_sum_beyond_float32_is_refused() -> None:
    def large(completions: list[str]) -> list[float]:
        return [3e38] * len(completions)

    with pytest.raises(RewardError, match="^reward function 'large': give .* beyond what float32 holds; lower"):
        RewardFunctions([large], weights=[2.0])(ATTEMPTS, seeds=range(9))
    with pytest.raises(ConfigError, match="^reward_weights: .*finite"):
        RewardFunctions([large], weights=[float("inf")])


def test_when_only_metrics_apply_nobody_has_scored() -> None:
    (said, _) = RewardFunctions([length], weights=[0.0], full_marks=0.0)(ATTEMPTS, seeds=range(9))
    assert (said.rewards, said.reward, said.success) == ({"length": 1.0}, None, None)


def leave(*_: object, **__: object) -> None:
    sys.exit(4)


async def leave_later(*_: object, **__: object) -> None:
    sys.exit(4)


async def give_up(*_: object, **__: object) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("function", [leave, leave_later, give_up])
def test_a_function_that_wants_to_end_the_process_ends_the_run(function: Callable[..., Any]) -> None:
    functions = RewardFunctions([slow_length, function])
    for _ in range(2):  # the event loop has outlived it
        with pytest.raises(RewardError, match=f"^reward function '{function.__name__}': (called sys.exit|raised Canc)"):
            functions(ATTEMPTS, seeds=range(9))


def test_asynchronous_functions_have_one_event_loop_for_the_whole_run() -> None:
    loops = []
    lock: asyncio.Lock | None = None

    async def remembers(completions: list[str]) -> list[float]:
        nonlocal lock
        lock = lock or asyncio.Lock()  # belongs to the loop in which it was first waited for
        async with lock:
            await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return [0.0] * len(completions)

    async def too(completions: list[str]) -> list[float]:
        return await remembers(completions)

    functions = RewardFunctions([remembers, functools.partial(too), lambda completions: remembers(completions)])
    for _ in range(3):
        functions(ATTEMPTS, seeds=range(9))
    assert len(loops) == 9 and len(set(map(id, loops))) == 1


def test_a_function_that_changes_what_it_gets_harms_nobody() -> None:
    chat = [{"role": "user", "content": "hello"}]
    attempts = [attempt("aa", chat, answers=["a"]), attempt("b", chat, answers=["b"])]
    attempts[1] = Trajectory(attempts[0].start, attempts[1].steps)  # siblings share their columns

    def vandal(prompts: Any, completions: Any, completion_ids: Any, answers: Any) -> list[float]:
        answers[0].append("x")
        prompts[0].clear()
        completion_ids[0].clear()
        completions[0][0]["content"] = ""
        rewards = [float(len(each)) for each in answers]
        for each in (prompts, completions, completion_ids, answers):
            each.clear()
        return rewards

    def witness(prompts: Any, completions: Any, completion_ids: Any, answers: Any) -> list[float]:
        assert (prompts, completion_ids) == ([chat, chat], [[97, 97], [98]])
        assert completions[0][0]["content"] == "aa"
        return [float(len(each)) for each in answers]

    for _ in range(2):
        said = RewardFunctions([vandal, witness])(attempts, seeds=range(9))
        assert [each.rewards for each in said] == [{"vandal": 2.0, "witness": 1.0}, {"vandal": 1.0, "witness": 1.0}]
    assert attempts[0].start.columns == {"answers": ["a"]} and chat == [{"role": "user", "content": "hello"}]


def test_what_cannot_be_copied_is_shared() -> None:
    shared = threading.Lock()

    def same(completions: list[str], lock: list[Any]) -> list[float]:
        return [float(each is shared) for each in lock]

    assert RewardFunctions([same])([attempt("a", lock=shared)], seeds=[0])[0].reward == 1.0


def test_a_hanging_function_is_interrupted_and_named() -> None:
    async def stuck(completions: list[str]) -> list[float]:
        await asyncio.sleep(60)
        return []

    async def stuck_loop(completions: list[str]) -> list[float]:
        time.sleep(60)
        return []

    def stuck_here(completions: list[str]) -> list[float]:
        try:
            time.sleep(60)
        except Exception:
            return [0.0] * len(completions)
        return []

    for function in (stuck, stuck_loop, stuck_here):
        with patience(0.05), pytest.raises(RewardError, match=f"^reward function '{function.__name__}': hangs: .*0.05"):
            RewardFunctions([function, length])(ATTEMPTS, seeds=range(9))


def test_a_refusal_of_ours_is_not_turned_into_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    judge = ChatEndpoint("http://localhost:9/v1", "m", key_variable="JUDGE_KEY")

    def lenient(completions: list[str]) -> list[float]:
        try:
            return [float(each) for each in judge([[{"role": "user", "content": text}] for text in completions])]
        except Exception:
            return [0.0] * len(completions)

    with pytest.raises(ConfigError, match="key_variable: JUDGE_KEY"):
        RewardFunctions([lenient])(ATTEMPTS, seeds=range(9))


def test_partial_functions_have_the_name_of_what_they_call() -> None:
    (said, _) = RewardFunctions([functools.partial(length, unused=1)])(ATTEMPTS, seeds=range(9))
    assert said.rewards == {"length": 1.0}


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


def test_full_marks_are_as_small_as_they_say() -> None:
    def tiny(completions: list[str], **kwargs: Any) -> list[float]:
        return [1e-8 * (completion == "a") for completion in completions]

    right, wrong = RewardFunctions([tiny], full_marks=1e-8)(ATTEMPTS, seeds=range(2))
    assert (right.success, wrong.success) == (True, False)


def test_rewards_that_cancel_are_nothing() -> None:
    def length_of_one(completions: list[str], **kwargs: Any) -> list[float]:
        return [1.0 for _ in completions]

    twice = dict.fromkeys((0.1, 0.2, -0.3))
    functions = [functools.wraps(length_of_one)(functools.partial(length_of_one)) for _ in twice]
    for number, each in enumerate(functions):
        each.__name__ = f"part_{number}"
    assert RewardFunctions(functions, weights=list(twice))(ATTEMPTS[:1], seeds=[0])[0].reward == 0.0


def _for_each(function: Callable[..., float]) -> Callable[..., list[float]]:
    """Makes a reward function of one that judges a single text, as is common in collections of rewards."""

    @functools.wraps(function)
    def rewards(completions: list[str], answer: list[str], **columns: Any) -> list[float]:
        return [function(text, gold) for text, gold in zip(completions, answer, strict=True)]

    return rewards


def _of_columns(function: Callable[..., float]) -> Callable[..., list[float]]:
    """Does the same, with what it needs among the columns."""

    @functools.wraps(function)
    def rewards(completions: list[str], **columns: Any) -> list[float]:
        return [function(text, gold) for text, gold in zip(completions, columns["answer"], strict=True)]

    return rewards


def _handing_on(function: Callable[..., list[float]]) -> Callable[..., list[float]]:
    @functools.wraps(function)
    def rewards(*arguments: Any, **named: Any) -> list[float]:
        return function(*arguments, **named)

    return rewards


@pytest.mark.parametrize("decorate", [_for_each, _of_columns])
def test_a_decorated_function_gets_what_its_decorator_asks_for(decorate: Callable[..., Any]) -> None:
    @decorate
    def same(text: str, gold: str) -> float:
        return float(text == gold)

    assert [each.reward for each in RewardFunctions([same])(ATTEMPTS, seeds=range(2))] == [1.0, 0.0]


def test_a_decorator_that_hands_on_everything_gets_what_the_function_inside_takes() -> None:
    @_handing_on
    def lengths(completions: list[str]) -> list[float]:
        return [float(len(text)) for text in completions]

    assert [each.reward for each in RewardFunctions([lengths])(ATTEMPTS, seeds=range(2))] == [1.0, 3.0]


class Crowd:
    """A place where calls wait until so many are there."""

    def __init__(self, size: int) -> None:
        self.size, self.here, self.most, self.cancelled = size, 0, 0, 0
        self.is_full = asyncio.Event()

    async def wait(self, answer: Any) -> Any:
        self.here += 1
        self.most = max(self.most, self.here)
        if self.here == self.size:
            self.is_full.set()
        try:
            await self.is_full.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.here -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


THOUSAND = [attempt(str(number)) for number in range(1000)]


def test_a_thousand_calls_are_under_way_at_once_and_keep_their_order() -> None:
    crowd = Crowd(1000)

    def one_by_one(completions: list[str]) -> list[Any]:
        return [crowd.wait(float(completion)) for completion in completions]

    said = RewardFunctions([one_by_one])(THOUSAND, seeds=range(1000))
    assert crowd.most == 1000
    assert [each.reward for each in said] == [float(number) for number in range(1000)]


def test_awaitable_answers_stand_beside_others_and_say_all_that_others_may() -> None:
    async def later(answer: Any) -> Any:
        return answer

    def mixed(completions: list[str]) -> Any:
        return iter([later({"reward": 2.0, "text": "good"}), None])

    first, second = RewardFunctions([mixed, length])(ATTEMPTS, seeds=range(9))
    assert (first.reward, first.text, first.rewards) == (3.0, "good", {"mixed": 2.0, "length": 1.0})
    assert (second.reward, second.rewards) == (3.0, {"length": 3.0})


def test_one_call_that_hangs_is_named_alone_and_cancelled() -> None:
    crowd, hung = Crowd(999), Crowd(2)

    def some_hang(completions: list[str]) -> list[Any]:
        return [(hung if completion == "437" else crowd).wait(1.0) for completion in completions]

    message = "^reward function 'some_hang', completion 437: hangs: gave no answer in 1 s; "
    with patience(1.0), pytest.raises(RewardError, match=message):
        RewardFunctions([some_hang])(THOUSAND, seeds=range(1000))
    assert (crowd.most, crowd.here, crowd.cancelled) == (999, 0, 0)
    limit = time.monotonic() + 20
    while hung.cancelled == 0 and time.monotonic() < limit:
        time.sleep(0.01)
    assert hung.cancelled == 1


def test_of_many_calls_that_hang_the_first_is_named_with_their_number() -> None:
    crowd = Crowd(1001)

    def all_hang(completions: list[str]) -> list[Any]:
        return [crowd.wait(1.0) for _ in completions]

    with (
        patience(0.5),
        pytest.raises(RewardError, match="^reward function 'all_hang', completion 0 and 999 others: hangs"),
    ):
        RewardFunctions([all_hang])(THOUSAND, seeds=range(1000))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            ValueError("refused"),
            "^reward function 'score', completion 3: raised ValueError: refused: mend the function",
        ),
        (SystemExit(1), "^reward function 'score', completion 3: called sys.exit\\(1\\): mend the function"),
        (float("nan"), "^reward function 'score': returned nan for completion 3: return a finite number"),
    ],
)
def test_a_call_that_fails_among_many_is_named(answer: Any, message: str) -> None:
    crowd = Crowd(1000)

    def score(completions: list[str]) -> list[Any]:
        return [crowd.wait(answer if completion == "3" else 1.0) for completion in completions]

    with pytest.raises(RewardError, match=message) as caught:
        RewardFunctions([length, score])(THOUSAND, seeds=range(1000))
    assert not isinstance(answer, Exception) or caught.value.__cause__ is answer


def test_awaitables_that_are_not_wanted_are_closed() -> None:
    crowd = Crowd(1)

    def too_few(completions: list[str]) -> list[Any]:
        return [crowd.wait(1.0)]

    def breaks(completions: list[str]) -> list[float]:
        raise ValueError

    with pytest.raises(RewardError, match="too_few': returned 1 rewards: return 2"):
        RewardFunctions([too_few])(ATTEMPTS, seeds=range(9))
    with pytest.raises(RewardError, match="'breaks': raised ValueError"):
        RewardFunctions([lambda completions: [crowd.wait(1.0) for _ in completions], breaks])(ATTEMPTS, seeds=range(9))
    assert crowd.most == 0


def test_calls_that_never_began_are_closed_and_their_function_named() -> None:
    begun = threading.Event()

    async def holds_the_loop(completions: list[str]) -> list[float]:
        begun.set()
        time.sleep(1.0)  # the calls of the next function wait behind it
        return [0.0] * len(completions)

    def waits(completions: list[str]) -> list[Any]:
        assert begun.wait(20)
        return [crowd.wait(1.0) for _ in completions]

    crowd, source = Crowd(1), RewardFunctions([waits])
    holder = threading.Thread(target=lambda: source._run(lambda: holds_the_loop([])), daemon=True)
    holder.start()
    with patience(0.2), pytest.raises(RewardError, match="^reward function 'waits': hangs: gave no answer in 0.2 s"):
        source(ATTEMPTS, seeds=range(9))
    holder.join(20)
    assert crowd.most == 0


class Elsewhere:
    """A place that begins work when its answer is waited for, and notes what was asked of it."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.done = fault, list[str]()

    def __call__(self, work: Callable[[], Any], seconds: float) -> Pending[Any]:
        self.done.append(f"sent with {seconds:g} s")

        def wait() -> Any:
            if self.fault is not None:
                raise self.fault
            self.done.append("answered")
            return work()

        return Pending(wait, lambda: self.done.append("let go"))


def steps_done(completions: list[str], trainer_state: TrainerState, **kwargs: Any) -> list[float]:
    return [float(trainer_state.global_step)] * len(completions)


def test_functions_say_the_same_elsewhere_and_are_sent_all_at_once() -> None:
    judge, place = RewardFunctions([length, is_answer, slow_length, steps_done], [1.0, 2.0, 0.0, 1.0]), Elsewhere()
    with at_step(7, 10):
        here = judge(ATTEMPTS, seeds=range(2))
        with placing(place), patience(5):
            there = judge(ATTEMPTS, seeds=range(2))
    assert list(there) == list(here) and here[0].rewards["steps_done"] == 7
    assert place.done == ["sent with 5 s"] * 4 + ["answered"] * 4


def wrong_count(completions: list[str], **kwargs: Any) -> list[float]:
    return [1.0]


def raises(completions: list[str], **kwargs: Any) -> list[float]:
    raise LookupError("no such word")


async def fails_on_one(completion: str) -> float:
    return {"a": 1.0}[completion]


def apart(completions: list[str], **kwargs: Any) -> Any:
    return [fails_on_one(each) for each in completions]


def hangs(completions: list[str], **kwargs: Any) -> list[float]:
    time.sleep(60)
    return []


def asks_for_more(completions: list[str], nothing: Any) -> list[float]:
    return []


@pytest.mark.parametrize("function", [wrong_count, raises, apart, hangs, asks_for_more])
def test_errors_are_told_in_the_same_words_elsewhere(function: Callable[..., Any]) -> None:
    judge, words = RewardFunctions([function]), list[str]()
    for place in (None, Elsewhere()):
        with patience(0.2), placing(place), pytest.raises(RewardError) as raised:
            judge(ATTEMPTS, seeds=range(2))
        words.append(str(raised.value))
    assert words[0] == words[1]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (TimeoutError(), "hangs: gave no answer in 3 s; mend it, or raise reward_timeout"),
        (RuntimeError("its process was killed"), "raised RuntimeError: its process was killed: mend the function"),
    ],
)
def test_what_befalls_a_function_elsewhere_is_told_under_its_name(fault: Exception, words: str) -> None:
    place = Elsewhere(fault)
    with patience(3), placing(place), pytest.raises(RewardError, match=f"^reward function 'length': {words}"):
        RewardFunctions([length])(ATTEMPTS, seeds=range(2))
    assert place.done == ["sent with 3 s", "let go"]
