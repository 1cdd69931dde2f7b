"""What reward functions are called with: of what is known, that which a function asks for, and TRL's `TrainerState`."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from backsight.context import holding
from backsight.errors import RewardError
from backsight.tasks.base import Item, completion_text
from backsight.types import Trajectory

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_IMMUTABLE = (str, int, float, bool, bytes, type(None))

STEP: ContextVar[tuple[int, ...]] = ContextVar("STEP", default=(0, 0))
"""The step of the run, and the number of all its steps; 0 where it ends by another condition."""


@dataclass(slots=True)
class TrainerState:
    """What reward functions may read of transformers' `TrainerState`, under the same names.

    What is not described here keeps the value that it has there in the beginning.
    """

    global_step: int = 0
    """Number of training steps before the one whose attempts are judged."""
    max_steps: int = 0
    """Number of steps of the run; 0 when it ends by another condition."""
    epoch: float = 0.0
    """Share of `max_steps` that is done."""
    num_train_epochs: int = 0
    logging_steps: int = 500
    eval_steps: int = 500
    save_steps: int = 500
    train_batch_size: int | None = None
    num_input_tokens_seen: int = 0
    total_flos: float = 0
    log_history: list[dict[str, float]] = field(default_factory=list)
    best_metric: float | None = None
    best_global_step: int | None = None
    best_model_checkpoint: str | None = None
    is_local_process_zero: bool = True
    is_world_process_zero: bool = True
    is_hyper_param_search: bool = False
    trial_name: str | None = None
    trial_params: dict[str, Any] | None = None
    stateful_callbacks: dict[str, Any] = field(default_factory=dict)


def at_step(step: int | None, max_steps: int | None = None) -> AbstractContextManager[None]:
    """Tell reward functions inside the block the step of the run, and of how many; None: as before."""
    known = zip((step, max_steps), STEP.get(), strict=True)
    return holding(STEP, tuple(before if now is None else now for now, before in known))


def label(name: str, row: int | None = None) -> str:
    """Return what a function is called in messages, and the completion that it is asked about."""
    return f"reward function '{name}'" + ("" if row is None else f", completion {row}")


def arguments_of(trajectories: Sequence[Trajectory]) -> dict[str, list[Any]]:
    """Return all that a function may ask for, by name. No column of the data hides another argument."""
    items: list[Item] = [trajectory.start for trajectory in trajectories]
    texts = [completion_text(trajectory) for trajectory in trajectories]
    names = dict.fromkeys(name for item in items for name in item.columns)
    return {name: [item.columns.get(name) for item in items] for name in names} | {
        "prompts": [item.prompt for item in items],
        "completions": [
            text if isinstance(item.prompt, str) else [{"role": "assistant", "content": text}]
            for item, text in zip(items, texts, strict=True)
        ],
        "completion_ids": [list(trajectory.steps[-1].action.value) for trajectory in trajectories],
    }


def choose(name: str, function: Callable[..., Any], known: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return those of the known arguments that the function accepts, and what TRL adds to them, as copies."""
    step, max_steps = STEP.get()
    state = TrainerState(step, max_steps, step / max_steps if max_steps else 0.0)
    available = {**known, "trainer_state": state, "log_extra": _ignore, "log_metric": _ignore}
    try:
        parameters = _parameters(function, follow_wrapped=False)
        wrapped = _parameters(function, follow_wrapped=True)
    except (TypeError, ValueError):  # it is not written in Python
        return _copies(available)
    for needed in _needed(parameters):
        if needed not in available:
            remedy = f"the data has no such column; it has: {', '.join(known)}"
            raise RewardError(label(name), f"asks for '{needed}'", remedy)
    if _takes_all(parameters) and set(_needed(wrapped)) <= available.keys():
        # a decorator hands on what it gets; where the function inside it has other arguments, it makes them itself
        parameters = [*(each for each in parameters if each.kind is not each.VAR_KEYWORD), *wrapped]
    if not _takes_all(parameters):
        names = {parameter.name for parameter in parameters}
        available = {name: value for name, value in available.items() if name in names}
    return _copies(available)


def _parameters(function: Callable[..., Any], *, follow_wrapped: bool) -> list[inspect.Parameter]:
    return list(inspect.signature(function, follow_wrapped=follow_wrapped).parameters.values())


def _needed(parameters: Sequence[inspect.Parameter]) -> list[str]:
    """Return the names of the parameters that have to be given."""
    return [each.name for each in parameters if each.default is each.empty and each.kind not in _VARIADIC]


def _takes_all(parameters: Sequence[inspect.Parameter]) -> bool:
    return any(each.kind is each.VAR_KEYWORD for each in parameters)


def _copies(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Copy lists with all that is in them, each row apart: a function that changes one changes nothing else."""
    return {
        name: [_copy(value) for value in values] if isinstance(values, list) else values
        for name, values in arguments.items()
    }


def _copy(value: Any) -> Any:
    if isinstance(value, _IMMUTABLE):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # some objects cannot be copied: open files, connections
        return value


def _ignore(*_: object, **__: object) -> None:
    """Do nothing, in place of TRL's callbacks that log from within a reward function."""
