"""What the hindsight benchmark is held against: figures from curves, each with its aim."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from hindsight_curve import Curve
from results_file import Figure

Results = Mapping[tuple[str, str, str], Sequence[Curve]]
"""By task, size and method: a curve a seed."""

HIR_RATIOS = {"object counting": 2.0, "tracking 3": 2.9, "tracking 5": 3.9, "deduction 3": 1.6}
"""Accuracy of HIR over PPO (arXiv:2302.05206)."""
HINDSIGHT = ("relabel", "hir")


def figures_of(results: Results) -> list[Figure]:
    """The mean of the last scores of every row, between the lowest and the highest seed; then the aims."""
    rows = [
        Figure(", ".join(key), fmean(_finals(curves)), (min(_finals(curves)), max(_finals(curves))), "score")
        for key, curves in results.items()
    ]
    return rows + [figure for aims in AIMS for figure in aims(results)]


def _finals(curves: Sequence[Curve]) -> list[float]:
    return [curve.final for curve in curves]


def _mean(results: Results, task: str, size: str, method: str) -> float | None:
    curves = results.get((task, size, method))
    return fmean(_finals(curves)) if curves else None


def _extra(results: Results, key: tuple[str, str, str], name: str) -> float | None:
    curves = results.get(key)
    return fmean(curve.extra[name] for curve in curves) if curves else None


def _at_least(row: str, value: float | None, aim: float, unit: str = "score") -> list[Figure]:
    return [] if value is None else [Figure(row, value, None, unit, f">= {aim:g}", value >= aim)]


def _at_most(row: str, value: float | None, aim: float, unit: str = "score") -> list[Figure]:
    return [] if value is None else [Figure(row, value, None, unit, f"<= {aim:g}", value <= aim)]


def _attempts(results: Results, key: tuple[str, str, str], level: float) -> float | None:
    """Mean attempts to a score; all that there were for a seed that never got there; None when there is no such row."""
    curves = results.get(key)
    if not curves:
        return None
    return fmean(first if (first := curve.first_at(level)) is not None else curve.attempts[-1] for curve in curves)


def _strings(results: Results) -> list[Figure]:
    task = "goal strings"
    return [
        *_at_least("control solves n=4", _mean(results, task, "n=4", "outcome"), 0.9),
        *_at_most("control at n=8", _mean(results, task, "n=8", "outcome"), 0.1),
        *_at_least("relabel solves n=50", _mean(results, task, "n=50", "relabel"), 0.9),
        *_at_most("relabel to 0.9 at n=8", _attempts(results, (task, "n=8", "relabel"), 0.9), 15_000, "attempts"),
    ]


def _bit_flips(results: Results) -> list[Figure]:
    task = "bit flips, module policy"
    return [
        *_at_most("REINFORCE on 30 bit flips", _mean(results, task, "n=30", "outcome"), 0.1),
        *_at_least("HER on 30 bit flips", _mean(results, task, "n=30", "relabel"), 0.9),
    ]


def _constraints(results: Results) -> list[Figure]:
    return [
        *_at_most("control at four constraints", _mean(results, "constraints", "K=4", "outcome"), 0.1),
        *_at_least("outcome and relabel at six", _mean(results, "constraints", "K=6", "relabel"), 0.95),
    ]


def _reasoning(results: Results) -> list[Figure]:
    """Beside the ratios on generated questions: how the real ones of BIG-Bench Hard are answered."""
    figures = [
        Figure(f"{task}, {method}: real questions", fmean(curve.extra["bbh"] for curve in curves), None, "score")
        for (task, _, method), curves in results.items()
        if all("bbh" in curve.extra for curve in curves)
    ]
    for task, aim in HIR_RATIOS.items():
        control = next((_mean(*key) for key in _keys(results, task, "outcome")), None)
        scores = [
            score for name in HINDSIGHT for key in _keys(results, task, name) if (score := _mean(*key)) is not None
        ]
        if control and scores:
            figures += _at_least(f"{task}: hindsight over control", max(scores) / control, aim, "ratio")
    return figures


def _keys(results: Results, task: str, method: str) -> list[tuple[Results, str, str, str]]:
    return [(results, *key) for key in results if key[0] == task and key[2].startswith(method)]


def _secret(results: Results) -> list[Figure]:
    task, size = "secret answer", "16 questions"
    live = (task, size, "self_distill, live, unguarded")
    guarded = (task, size, "self_distill, live, guarded")
    return [
        *_at_most("control on secrets", _mean(results, task, size, "outcome"), 0.05),
        *_at_least("frozen teacher, forward KL", _mean(results, task, size, "self_distill"), 0.95),
        *_at_most("live teacher, unguarded: reading of hints left", _extra(results, live, "hint"), 0.1),
        *_at_least("live teacher, guarded: runs that paused", _extra(results, guarded, "paused"), 1.0, "share"),
    ]


def _key_to_door(results: Results) -> list[Figure]:
    losses = {}
    for method in ("outcome", "cocoa", "rudder"):
        near, far = (_mean(results, "key to door", f"length {length}", method) for length in (23, 103))
        if near is not None and far is not None:
            losses[method] = near - far
    if "outcome" not in losses or len(losses) < 2:
        return []
    better = min(loss for method, loss in losses.items() if method != "outcome")
    return [
        *_at_least("REINFORCE loses from length 23 to 103", losses["outcome"], 0.2),
        *_at_most("COCOA or RUDDER loses", better, 0.1),
    ]


def _worlds(results: Results) -> list[Figure]:
    figures = []
    for task, size in dict.fromkeys((key[0], key[1]) for key in results if key[0] in ("FrozenLake", "Sokoban")):
        control = _attempts(results, (task, size, "outcome"), 0.8)
        others = [_attempts(results, (task, size, name), 0.8) for name in ("graph_hca", "hcapo")]
        known = [each for each in others if each is not None]
        if control is not None and known:
            figures += _at_most(f"{task}: attempts to 0.8, over control", min(known) / control, 0.5, "ratio")
    return figures


def _marketplace(results: Results) -> list[Figure]:
    figures = []
    for method, is_better in (("outcome", False), ("rescore", True)):
        key = ("marketplace", "3 items", method)
        for name in ("foresight", "utility"):
            after, before = _extra(results, key, name), _extra(results, key, f"{name}_before")
            if after is None or before is None:
                continue
            row = f"{method}: change of {'the rating at once' if name == 'foresight' else 'the true utility'}"
            gains = name == "foresight" or is_better
            figures += (_at_least if gains else _at_most)(row, after - before, 0.0, "stars or value")
    return figures


AIMS: Sequence[Callable[[Results], list[Figure]]] = (
    _strings,
    _bit_flips,
    _constraints,
    _reasoning,
    _secret,
    _key_to_door,
    _worlds,
    _marketplace,
)
