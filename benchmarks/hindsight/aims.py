"""What the hindsight benchmark is held against: figures from curves, each with its aim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Literal

from benchmarks.hindsight.curve import Curve
from benchmarks.shared.results import Figure

Key = tuple[str, str, str]
"""Task, size and method."""
Results = Mapping[Key, Sequence[Curve]]
"""A curve a seed, by task, size and method."""

HIR_RATIOS = {"object counting": 2, "tracking 3": 2.9, "tracking 5": 3.9, "deduction 3": 1.6}
"""Accuracy of HIR over PPO (arXiv:2302.05206)."""
HINDSIGHT = ("relabel", "hir")


def make_figures(results: Results) -> list[Figure]:
    """Return the mean of the last scores of every row, between the lowest and the highest seed; then the aims."""
    rows = []
    for key, curves in results.items():
        scores = [curve.final for curve in curves]
        rows.append(Figure(", ".join(key), fmean(scores), (min(scores), max(scores)), "score"))
    return rows + [figure for aims in AIMS for figure in aims(results)]


def _average(results: Results, key: Key, value: Callable[[Curve], float] = lambda curve: curve.final) -> float | None:
    """Return the mean of a figure of the curves; None where there are none."""
    curves = results.get(key)
    return fmean(value(curve) for curve in curves) if curves else None


def _read_extra(results: Results, key: Key, name: str) -> float | None:
    return _average(results, key, lambda curve: curve.extra[name])


def _count_attempts(results: Results, key: Key, level: float) -> float | None:
    """Return the mean of the attempts to a score; a seed that never got there counts with all its attempts."""

    def count(curve: Curve) -> int:
        first = curve.first_at(level)
        return curve.attempts[-1] if first is None else first

    return _average(results, key, count)


def _set_aim(row: str, value: float | None, sign: Literal[">=", "<="], aim: float, unit: str = "score") -> list[Figure]:
    """Return the figure with its aim, where there is one."""
    return [] if value is None else [Figure(row, value, None, unit).hold_against(sign, aim)]


def _judge_strings(results: Results) -> list[Figure]:
    task = "goal strings"
    attempts = _count_attempts(results, (task, "n=8", "relabel"), 0.9)
    return [
        *_set_aim("control solves n=4", _average(results, (task, "n=4", "outcome")), ">=", 0.9),
        *_set_aim("control at n=8", _average(results, (task, "n=8", "outcome")), "<=", 0.1),
        *_set_aim("relabel solves n=50", _average(results, (task, "n=50", "relabel")), ">=", 0.9),
        *_set_aim("relabel to 0.9 at n=8", attempts, "<=", 15_000, "attempts"),
    ]


def _judge_bit_flips(results: Results) -> list[Figure]:
    task = "bit flips, module policy"
    return [
        *_set_aim("REINFORCE on 30 bit flips", _average(results, (task, "n=30", "outcome")), "<=", 0.1),
        *_set_aim("HER on 30 bit flips", _average(results, (task, "n=30", "relabel")), ">=", 0.9),
    ]


def _judge_constraints(results: Results) -> list[Figure]:
    return [
        *_set_aim("control at four constraints", _average(results, ("constraints", "K=4", "outcome")), "<=", 0.1),
        *_set_aim("outcome and relabel at six", _average(results, ("constraints", "K=6", "relabel")), ">=", 0.95),
    ]


def _judge_reasoning(results: Results) -> list[Figure]:
    """Beside the ratios on generated questions, tell how the real ones of BIG-Bench Hard are answered."""
    figures = [
        Figure(f"{task}, {method}: real questions", fmean(curve.extra["bbh"] for curve in curves), None, "score")
        for (task, _, method), curves in results.items()
        if all("bbh" in curve.extra for curve in curves)
    ]
    for task, aim in HIR_RATIOS.items():
        means = {key[2]: _average(results, key) or 0.0 for key in results if key[0] == task}
        scores = [score for method, score in means.items() if method.startswith(HINDSIGHT)]
        if scores and (control := means.get("outcome")):
            figures += _set_aim(f"{task}: hindsight over control", max(scores) / control, ">=", aim, "ratio")
    return figures


def _judge_secrets(results: Results) -> list[Figure]:
    task, size = "secret answer", "16 questions"
    hints_read = _read_extra(results, (task, size, "self_distill, live, unguarded"), "hint")
    paused = _read_extra(results, (task, size, "self_distill, live, guarded"), "paused")
    return [
        *_set_aim("control on secrets", _average(results, (task, size, "outcome")), "<=", 0.05),
        *_set_aim("frozen teacher, forward KL", _average(results, (task, size, "self_distill")), ">=", 0.95),
        *_set_aim("live teacher, unguarded: reading of hints left", hints_read, "<=", 0.1),
        *_set_aim("live teacher, guarded: runs that paused", paused, ">=", 1, "share"),
    ]


def _judge_key_to_door(results: Results) -> list[Figure]:
    losses = {}
    for method in ("outcome", "cocoa", "rudder"):
        near, far = (_average(results, ("key to door", f"length {length}", method)) for length in (23, 103))
        if near is not None and far is not None:
            losses[method] = near - far
    if "outcome" not in losses or len(losses) < 2:
        return []
    better = min(loss for method, loss in losses.items() if method != "outcome")
    return [
        *_set_aim("REINFORCE loses from length 23 to 103", losses["outcome"], ">=", 0.2),
        *_set_aim("COCOA or RUDDER loses", better, "<=", 0.1),
    ]


def _judge_worlds(results: Results) -> list[Figure]:
    figures = []
    for task, size in dict.fromkeys(key[:2] for key in results if key[0] in ("FrozenLake", "Sokoban")):
        control = _count_attempts(results, (task, size, "outcome"), 0.8)
        others = [_count_attempts(results, (task, size, name), 0.8) for name in ("graph_hca", "hcapo")]
        known = [each for each in others if each is not None]
        if control is not None and known:
            figures += _set_aim(f"{task}: attempts to 0.8, over control", min(known) / control, "<=", 0.5, "ratio")
    return figures


def _judge_marketplace(results: Results) -> list[Figure]:
    figures = []
    for method in ("outcome", "rescore"):
        key = ("marketplace", "3 items", method)
        for name, words in {"foresight": "the rating at once", "utility": "the true utility"}.items():
            after, before = _read_extra(results, key, name), _read_extra(results, key, f"{name}_before")
            if after is not None and before is not None:
                gains = name == "foresight" or method == "rescore"
                row = f"{method}: change of {words}"
                figures += _set_aim(row, after - before, ">=" if gains else "<=", 0, "stars or value")
    return figures


AIMS: Sequence[Callable[[Results], list[Figure]]] = (
    _judge_strings,
    _judge_bit_flips,
    _judge_constraints,
    _judge_reasoning,
    _judge_secrets,
    _judge_key_to_door,
    _judge_worlds,
    _judge_marketplace,
)
