"""Reward functions written for verl and OpenRLHF."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from backsight.errors import RewardError
from backsight.feedback.adapters import from_openrlhf, from_verl
from backsight.feedback.reward_functions import RewardFunctions
from backsight.tasks.base import Item
from backsight.types import Action, Step, Trajectory


def attempt(text: str, prompt: Any = "p", **columns: Any) -> Trajectory:
    step = Step(prompt, Action((1,), torch.zeros(1), text=text), terminated=True)
    return Trajectory(Item("1", prompt, columns=columns), (step,))


ROWS = [
    attempt(" 4", data_source="sums", reward_model={"style": "rule", "ground_truth": "4"}, extra_info={"index": 0}),
    attempt(" 5", data_source="sums", reward_model={"style": "rule", "ground_truth": "4"}),
]


def compute_score(data_source: str, solution_str: str, ground_truth: str, extra_info: Any = None) -> Any:
    assert data_source == "sums"
    extra_info["seen"] = True  # as verl's own functions do
    return {"score": float(solution_str.strip() == ground_truth), "format": 1.0}


def test_verl_is_called_once_a_row_with_what_its_rows_hold() -> None:
    feedback = RewardFunctions([from_verl(compute_score)])(ROWS, seeds=[0, 0])
    assert [each.rewards for each in feedback] == [{"compute_score": 1.0}, {"compute_score": 0.0}]
    assert ROWS[0].start.columns["extra_info"] == {"index": 0}


def test_verl_functions_may_give_bare_numbers_be_asynchronous_and_have_another_name() -> None:
    async def late(data_source: Any, solution_str: str, ground_truth: str, extra_info: Any) -> float:
        return float(len(solution_str)) if ground_truth == "x" else -1.0

    chat = [{"role": "user", "content": "hi"}]
    rows = [attempt("abc", chat, ground_truth="x"), attempt("abc", chat)]
    feedback = RewardFunctions([from_verl(late, name="length")])(rows, seeds=[0, 0])
    assert [each.rewards for each in feedback] == [{"length": 3.0}, {"length": -1.0}]


def test_openrlhf_is_called_once_a_batch_with_prompts_and_completions_in_one() -> None:
    calls = []

    def reward_func(queries: list[str], prompts: list[str], labels: list[str], **kwargs: Any) -> Any:
        calls.append((queries, prompts, labels))
        rewards = torch.tensor([float(query.endswith(label)) for query, label in zip(queries, labels, strict=True)])
        return {"rewards": rewards, "scores": rewards, "extra_logs": {"n": rewards}}

    rows = [attempt(" 4", "2+2=", answer="4"), attempt(" 5", [{"role": "user", "content": "2+2="}], answer="4")]
    feedback = RewardFunctions([from_openrlhf(reward_func, label_column="answer")])(rows, seeds=[0, 0])
    assert [each.reward for each in feedback] == [1.0, 0.0]
    prompts = ["2+2=", "user: 2+2=\nassistant:"]
    assert calls == [([f"{prompts[0]} 4", f"{prompts[1]} 5"], prompts, ["4", "4"])]


def test_openrlhf_may_give_a_bare_tensor_and_find_no_labels() -> None:
    def reward_func(queries: list[str], prompts: list[str], labels: list[Any]) -> torch.Tensor:
        assert labels == [None, None]
        return torch.tensor([0.5, 1.5])

    feedback = RewardFunctions([from_openrlhf(reward_func)])([attempt("a"), attempt("b")], seeds=[0, 0])
    assert [each.reward for each in feedback] == [0.5, 1.5]


@pytest.mark.parametrize("adapter", [from_verl, from_openrlhf])
def test_a_dictionary_without_the_reward_is_refused_by_name(adapter: Any) -> None:
    def wrong(**arguments: Any) -> dict[str, float]:
        return {"accuracy": 1.0}

    with pytest.raises(RewardError, match=r"reward function 'wrong'.*accuracy.*it needs '(score|rewards)'"):
        RewardFunctions([adapter(wrong)])([attempt("a")], seeds=[0])


def test_one_reward_a_token_is_refused() -> None:
    def per_token(queries: list[str], **rest: Any) -> torch.Tensor:
        return torch.zeros(len(queries), 3)

    with pytest.raises(RewardError, match="per_token.*return a finite number"):
        RewardFunctions([from_openrlhf(per_token)])([attempt("a")], seeds=[0])


class Late:
    """An asynchronous function that does not look like one."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def __call__(self, **named: Any) -> Any:
        return self.answer


def test_asynchronous_objects_are_awaited_before_their_answer_is_read() -> None:
    score = from_verl(Late({"score": 0.5}), name="verl")
    rewards = from_openrlhf(Late({"rewards": [0.5, 0.5]}), name="openrlhf")
    feedback = RewardFunctions([score, rewards])(ROWS, seeds=[0, 0])
    assert [each.rewards for each in feedback] == [{"verl": 0.5, "openrlhf": 0.5}] * 2


def test_calls_of_an_asynchronous_verl_function_run_together_and_are_named_apart() -> None:
    meeting = asyncio.Event()

    async def compute_score(solution_str: str, **rest: Any) -> float:
        if solution_str == ROWS[1].steps[0].action.text:
            meeting.set()
            raise ValueError("no such server")
        await asyncio.wait_for(meeting.wait(), timeout=20)
        return 1.0

    message = "^reward function 'compute_score', completion 1: raised ValueError: no such server"
    with pytest.raises(RewardError, match=message):
        RewardFunctions([from_verl(compute_score)])(ROWS, seeds=[0, 0])
