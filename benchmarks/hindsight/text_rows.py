"""Rows of the hindsight benchmark on strings, secrets and the marketplace: tiny language models from scratch.

Settings were chosen with seed 0 (docs/log.md). They are the same for all methods of a task, but for what is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from backsight import evaluate
from benchmarks.hindsight.curve import QUICK, Curve, Row, learn, warm_up
from benchmarks.hindsight.marketplace import HonestAnswer, Marketplace
from benchmarks.hindsight.secret import CopyHint, SecretAnswer
from benchmarks.hindsight.strings import Constraints, GoalString
from benchmarks.hindsight.tasks import Sizes, make_learner


def learn_goal_string(
    method: str, length: int, attempts: int, settings: Mapping[str, Any], seed: int, quick: bool
) -> Curve:
    """Learn to write the string that is asked for."""
    task = GoalString(length)
    policy = make_learner(task.words, Sizes(), seed)
    settings = {"hindsight": method, "mini_batches": _count_parts(method), "lr_scheduler_type": "linear", **settings}
    return learn(policy, task, settings.pop("hindsight"), attempts // (QUICK if quick else 1), seed, **settings)


def learn_constraints(method: str, count: int, attempts: int, seed: int, quick: bool) -> Curve:
    """Learn to obey constraints. The control goes over its attempts once, as in TRL; two rounds do not help it."""
    task = Constraints(count)
    return learn(
        make_learner(task.words, Sizes(), seed),
        task,
        method,
        attempts // (QUICK if quick else 1),
        seed,
        mini_batches=_count_parts(method),
        num_iterations=1 if method == "outcome" else 2,
        lr_scheduler_type="linear",
    )


def _count_parts(method: Any) -> int:
    """Count the optimizer steps for the attempts of a step: one as in TRL for the control, which forgets with four."""
    return 1 if method == "outcome" else 4


def learn_secrets(method: Any, settings: Mapping[str, Any], seed: int, quick: bool) -> Curve:
    """Learn secret answers from a policy that can read a hint. `hint` is how well it still can at the end."""
    secrets = SecretAnswer(seed=seed)
    hints = CopyHint(secrets, seed=seed)
    policy = make_learner(secrets.words | hints.words, Sizes(), seed)
    warm = warm_up(policy, hints, seed, steps=60 if quick else 300, prompts_per_step=128)
    attempts = 20_000 // (QUICK if quick else 1)
    kept: list[float] = []

    def look(trained: Any) -> None:
        length = hints.sampling.max_completion_length
        scores = evaluate(trained, hints, splits=["test"], eval_items=128, max_completion_length=length)
        kept.append(scores["test"].reward.mean)

    curve = learn(warm, secrets, method, attempts, seed, prompts_per_step=16, at_the_end=look, **settings)
    curve.extra["hint"] = kept[0]
    return curve


def learn_to_advise(method: Any, seed: int, quick: bool) -> Curve:
    """Learn to advise customers from a policy that is honest. The score is the true utility, with both ratings beside
    it."""
    shop = Marketplace(seed=seed)
    honest = HonestAnswer(shop, seed=seed)
    policy = make_learner(shop.words | honest.words, Sizes(), seed)
    warm = warm_up(policy, honest, seed, steps=60 if quick else 200, prompts_per_step=128)
    metrics = {name: f"test/{name}" for name in ("foresight", "hindsight", "utility")}
    return learn(
        warm,
        shop,
        method,
        20_000 // (QUICK if quick else 1),
        seed,
        score="utility",
        metrics=metrics,
        learning_rate=3e-4,
        entropy_coef=0.01,
    )


TAGGED: Mapping[str, Mapping[str, Any]] = {
    # small groups, since it passes over each pair of an attempt and a question of its group
    "hir": {"hindsight": {"name": "hir", "wrong": "0 "}, "num_generations": 4, "prompts_per_step": 64},
    "condition": {"hindsight": {"name": "condition", "quantiles": 2, "tag": "{quantile} "}},
}
"""Settings of methods that put something before a prompt: one more symbol, since any other word could be said."""


def _make_rows() -> list[Row]:
    rows: list[Row] = []
    for length in (4, 8, 16, 32, 50):
        attempts = 25_000 if length <= 8 else 15_000
        for method in ("outcome", "relabel"):
            rows.append(
                Row("goal strings", f"n={length}", method, partial(learn_goal_string, method, length, attempts, {}))
            )
    for method in ("hir", "condition", "gold_anchor"):
        run = partial(learn_goal_string, method, 8, 25_000, TAGGED.get(method, {}))
        rows.append(Row("goal strings", "n=8", method, run))
    for count, attempts in {2: 40_000, 4: 40_000, 6: 51_200, 8: 51_200}.items():
        for method in ("outcome", "relabel"):
            rows.append(Row("constraints", f"K={count}", method, partial(learn_constraints, method, count, attempts)))
    distilled = {
        "self_distill": {},
        "self_distill, averaged teacher": {"teacher": {"update": "ema"}},
        "self_distill, averaged slowly": {"teacher": {"update": "ema", "rate": 0.005}},
        "self_distill, reverse KL": {"teacher": {"alpha": 1.0}},
        "self_distill, live, unguarded": {"teacher": {"update": "live", "alpha": 1.0, "check_steps": 0}},
        "self_distill, live, guarded": {"teacher": {"update": "live", "alpha": 1.0}},
    }
    for name in ("outcome", "gold_anchor"):
        rows.append(Row("secret answer", "16 questions", name, partial(learn_secrets, name, {})))
    for name, settings in distilled.items():
        rows.append(Row("secret answer", "16 questions", name, partial(learn_secrets, "self_distill", settings)))
    for name in ("outcome", "rescore"):
        rows.append(Row("marketplace", "3 items", name, partial(learn_to_advise, name)))
    return rows


ROWS = _make_rows()
