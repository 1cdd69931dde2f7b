"""Rows of the hindsight benchmark about reasoning: four forms of BIG-bench (HIR's), and two tasks of reasoning-gym.

The forms are learnt from scratch. A few gold answers teach what an answer looks like, the same for all methods of a
seed, and next to nothing about which one is right. The tasks of reasoning-gym go to the pocket model as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from backsight import load_policy
from backsight.hindsight.prompt.options import HIROptions
from backsight.tasks.base import Item
from backsight.tasks.reasoning_gym import ReasoningGymTask
from backsight.types import Feedback
from benchmarks.hindsight.curve import QUICK, Curve, Row, learn, warm_up
from benchmarks.hindsight.reasoning import Reasoning
from benchmarks.hindsight.tasks import GeneratedTask, Sizes, collect_words, make_learner

RATE = 3e-3
RATES = {"outcome": 5e-4}
"""Rates of methods with one of their own: at `RATE`, the policy gradient alone forgets how to answer at all."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a form of BIG-bench is learnt."""

    name: str
    """Its name in BIG-Bench Hard."""
    attempts: int
    gold_answers: int = 512
    """Number of gold answers in the warm-up. After it a solution has its form, and is right as often as by chance."""
    warm_steps: int = 200
    prompts: int = 64
    contrast: float = 1.0
    """Weight of HIR's contrast, which costs a pass for each pair of an attempt and a question of its group."""


FORMS: Mapping[str, Form] = {
    # a model of this size does not learn tracking and deduction from ten times as many gold answers (docs/log.md)
    # any count is the answer to some question: four times the passes for a contrast
    "object counting": Form("object_counting", 40_000, gold_answers=128, warm_steps=30, contrast=0.0),
    "tracking 3": Form("tracking_shuffled_objects_three_objects", 2_560),
    "tracking 5": Form("tracking_shuffled_objects_five_objects", 2_560),
    "deduction 3": Form("logical_deduction_three_objects", 2_560),
}


def learn_form(method: str, form: Form, seed: int, quick: bool) -> Curve:
    """Learn a form. The score on the real questions is `extra["bbh"]`."""
    task = Reasoning(form.name, seed=seed)
    words = task.words | collect_words([HIROptions().wrong])
    few = FewGoldAnswers(task, form.gold_answers)
    policy = warm_up(
        make_learner(words, Sizes(), seed), few, seed, steps=form.warm_steps, prompts_per_step=32, learning_rate=2e-3
    )
    settings: dict[str, Any] = {"name": "hir", "contrastive_weight": form.contrast}
    return learn(
        policy,
        task,
        settings if method == "hir" else method,
        form.attempts // (QUICK if quick else 1),
        seed,
        metrics={"bbh": "bbh/reward"} if "bbh" in task.eval_splits else {},
        num_generations=4,
        prompts_per_step=form.prompts,
        mini_batches=1 if method == "outcome" else 4,
        learning_rate=RATES.get(method, RATE),
        lr_scheduler_type="linear",
    )


class FewGoldAnswers(GeneratedTask):
    """Some items of a task, to learn the form of its answers from; the test is the task's."""

    def __init__(self, task: GeneratedTask, count: int) -> None:
        self.name, self.sampling, self._task = f"{task.name}, few gold answers", task.sampling, task
        super().__init__({"train": task.items("train")[:count], "test": task.items("test")})

    def judge(self, item: Item, completion: str) -> Feedback:
        return self._task.judge(item, completion)


GYM: Mapping[str, Mapping[str, int]] = {
    "spell_backward": {"max_word_len": 4},
    "chain_sum": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1},
}
"""Tasks whose questions are short in the pocket model's tokens, and options that make them easy."""
GYM_ATTEMPTS = 6_000
GYM_RATES = {"outcome": 3e-4, "gold_anchor": 1e-3}
"""The best learning rate of a few, by method."""


def learn_gym(method: str, name: str, seed: int, quick: bool) -> Curve:
    """Let the pocket model learn a task of reasoning-gym; what is revealed is the gold answer."""
    return learn(
        load_policy("pocket"),
        ReasoningGymTask(name, options=GYM[name], instruction="", seed=1_000_000 * seed),
        method,
        GYM_ATTEMPTS // (QUICK if quick else 1),
        seed,
        num_generations=4,
        prompts_per_step=32,
        mini_batches=2,
        learning_rate=GYM_RATES[method],
        max_completion_length=8,
    )


ROWS: list[Row] = [
    *(
        Row(task, form.name, method, partial(learn_form, method, form))
        for task, form in FORMS.items()
        for method in (("outcome", "relabel", "hir") if task == "object counting" else ("outcome", "relabel"))
    ),
    *(Row("reasoning-gym", name, method, partial(learn_gym, method, name)) for name in GYM for method in GYM_RATES),
]
