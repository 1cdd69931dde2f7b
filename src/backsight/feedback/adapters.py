"""Adapters of reward functions written for verl or OpenRLHF to the form that `RewardFunctions` takes.

What they return besides the reward (further keys of verl's dictionary, OpenRLHF's ``scores`` and ``extra_logs``) is for
their own frameworks' logs and filters, and is ignored.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from backsight.errors import RewardError
from backsight.feedback.reward_functions import RewardFunction
from backsight.tasks.recorded import transcript
from backsight.types import Observation


def from_verl(compute_score: Callable[..., Any], name: str | None = None) -> RewardFunction:
    """Adapt a function ``compute_score(data_source, solution_str, ground_truth, extra_info)`` written for verl.

    It is called once for each completion, returns a number or a dictionary with a ``score``, and may be asynchronous:
    all its calls run together then. The rows are verl's: columns ``data_source``, ``reward_model`` (whose
    ``ground_truth`` is taken; else the column ``ground_truth``) and ``extra_info``. A missing value is None, and a
    missing ``extra_info`` an empty dictionary.
    """
    known_as = name or _name(compute_score)

    def calls(completions: Sequence[Any], columns: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "data_source": row.get("data_source"),
                "solution_str": _text(completion),
                "ground_truth": _ground_truth(row),
                "extra_info": dict(row.get("extra_info") or {}),  # a copy: verl's functions may write into it
            }
            for completion, row in zip(completions, _rows(columns, len(completions)), strict=True)
        ]

    def scores(completions: Sequence[Any], **columns: Any) -> list[Any]:
        return [score(compute_score(**call)) for call in calls(completions, columns)]

    def score(answer: Any) -> Any:
        return awaited(answer) if inspect.isawaitable(answer) else _part(answer, "score", known_as)

    async def awaited(answer: Awaitable[Any]) -> Any:
        return _part(await answer, "score", known_as)

    return _rename(scores, known_as)


def from_openrlhf(
    reward_func: Callable[..., Any], label_column: str = "label", name: str | None = None
) -> RewardFunction:
    """Adapt a function ``reward_func(queries, prompts, labels, **kwargs)`` written for OpenRLHF.

    It is called once for each batch. `queries` are prompts with their completions, `labels` the column `label_column`
    (None where a row has none). It returns a tensor or list of rewards, or a dictionary with ``rewards``. Chat prompts
    come as text, one line for each message.
    """
    known_as = name or _name(reward_func)

    def rewards(prompts: Sequence[Observation], completions: Sequence[Any], **columns: Any) -> Any:
        texts = [prompt if isinstance(prompt, str) else transcript(prompt) for prompt in prompts]
        queries = [text + _text(completion) for text, completion in zip(texts, completions, strict=True)]
        labels = list(columns.get(label_column) or [None] * len(texts))
        answer = reward_func(queries=queries, prompts=texts, labels=labels)
        return awaited(answer) if inspect.isawaitable(answer) else _part(answer, "rewards", known_as)

    async def awaited(answer: Awaitable[Any]) -> Any:
        return _part(await answer, "rewards", known_as)

    return _rename(rewards, known_as)


def _rename(function: RewardFunction, name: str) -> RewardFunction:
    function.__name__ = name  # functools.wraps would also copy the signature, which decides the arguments of the call
    return function


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _rows(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    lists = {name: values for name, values in columns.items() if isinstance(values, list)}  # and not TRL's callbacks
    return [{name: values[index] for name, values in lists.items()} for index in range(count)]


def _ground_truth(row: Mapping[str, Any]) -> Any:
    nested = row.get("reward_model")
    return nested.get("ground_truth") if isinstance(nested, Mapping) else row.get("ground_truth")


def _text(completion: Any) -> str:
    """Return the text of a completion, which comes as messages for a chat prompt."""
    return completion if isinstance(completion, str) else "".join(message["content"] for message in completion)


def _part(answer: Any, key: str, name: str) -> Any:
    """Return the reward from an answer, which may be a dictionary."""
    if not isinstance(answer, Mapping):
        return answer
    if key not in answer:
        raise RewardError(
            f"reward function '{name}'",
            f"returned a dictionary with {', '.join(map(str, answer))}",
            f"it needs '{key}'",
        )
    return answer[key]
