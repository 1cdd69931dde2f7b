"""Traces as rows of JSON: what some steps did to some rows of the learner, token by token.

Numbers are rounded to four digits: they are for people. Tensors: T decisions of a row, K alternatives at a decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from backsight.reports.packed_lines import Row, plain
from backsight.traces import Trace
from backsight.types import Feedback

if TYPE_CHECKING:
    from torch import Tensor


def trace_row(trace: Trace) -> Row:
    """Return a trace as a row of JSON."""
    example, attempt = trace.example, trace.example.trajectory
    key = attempt.key if attempt is not None else None
    return {
        "group": None if key is None else key.group,
        "attempt": None if key is None else key.attempt,
        "method": example.method,
        "places": trace.places,
        "prompts": example.prompts,
        "asked": None if attempt is None else _unlike(attempt.prompts, example.prompts),
        "said": None if attempt is None or attempt.responses == example.responses else list(attempt.texts),
        "told": example.teacher_prompts,
        "turns": [len(part) for part in _parts(trace)],
        "cut_off": attempt is not None and attempt.was_cut_off,
        "feedback": {} if attempt is None else feedback_row(attempt.feedback),
        "responses": example.responses,
        "pieces": trace.pieces,
        "weight": _number(example.weight),
        "advantage": _numbers(example.advantages),
        "imitation": _numbers(example.imitation_weights),
        "teaching": _numbers(example.teacher_weights),
        "behaviour": _numbers(example.behaviour_log_probs),
        "log_prob": _numbers(trace.log_probs_T),
        "last": _numbers(trace.last_log_probs_T),
        "push": _numbers(trace.push_T),
        "entropy": _numbers(trace.entropy_T),
        "teacher": _numbers(trace.teacher_T),
        "reference": _numbers(trace.reference_T),
        "alternatives": [[[each.text, _number(each.log_prob)] for each in own] for own in trace.alternatives],
    }


def feedback_row(feedback: Feedback) -> Row:
    """Return what was revealed in words or as a number, as a row of JSON without what is unknown."""
    known = {
        "reward": _number(feedback.reward),
        "success": feedback.success,
        "text": feedback.text,
        "correction": feedback.correction,
        "outcome": feedback.outcome,
        "sources": list(feedback.sources) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _parts(trace: Trace) -> Iterator[Sequence[str]]:
    """Yield the pieces of each turn."""
    first = 0
    for response in trace.example.responses:
        count = len(response) if isinstance(response, tuple) else 1
        yield trace.pieces[first : first + count]
        first += count


def _unlike(before: Sequence[Any], now: Sequence[Any]) -> list[Any] | None:
    """Return what stood there before; None when it is the same."""
    return None if plain(before) == plain(now) else plain(before)


def _numbers(values_T: Tensor | None) -> list[float | None] | None:
    return None if values_T is None else [_number(each) for each in values_T.tolist()]


def _number(value: float | None) -> float | None:
    """Return a number with four digits; None where it is not finite, which JSON has no word for."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
