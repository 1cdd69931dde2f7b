"""Numbers from functions that a user gave, held to their contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backsight.errors import RewardError
from backsight.feedback.environment import finite_reward


def number_from(name: str, function: Callable[[Any], float], argument: Any) -> float:
    """What the function, known to its author as `name`, answers.

    Raises:
        RewardError: it raised, or did not answer with a finite number.
    """
    try:
        answer = function(argument)
    except Exception as error:  # anybody's code
        raise RewardError(name, f"raised {type(error).__name__}: {error}", "mend the function") from error
    return finite_reward(answer, name)
