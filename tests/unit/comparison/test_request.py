"""What is asked for: budgets that are the same for all, and what is refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from toy_tasks import WORDS, GoalString

from backsight.comparison.request import Request, make_request
from backsight.comparison.runner import Job
from backsight.config import RunConfig
from backsight.errors import BacksightError
from backsight.hindsight.response.options import SupervisedOptions
from backsight.policies.text import TextPolicy
from backsight.training.config import StopConfig

POLICY = tiny_policy(words=WORDS)


def asked(methods: list[Any], seeds: int = 1, **settings: Any) -> Request:
    fields: dict[str, Any] = {"stop": StopConfig(max_attempts=64), "prompts_per_step": 4, "num_generations": 2}
    config = RunConfig(preset="toy", policy="toy", hindsight=SupervisedOptions(), **{**fields, **settings})
    return make_request(config, lambda config: GoalString(1), methods, seeds)


def run_config(request: Request, method: str, policy: TextPolicy = POLICY) -> RunConfig:
    return request.run_config(Job(method, request.shared.seed), Path("runs"), policy)


def test_a_method_is_compared_with_outcome_or_else_with_the_first() -> None:
    assert asked(["relabel", "outcome"]).control == "outcome"
    assert asked(["relabel", "best_of_n"]).control == "relabel"


def test_every_run_has_a_seed_and_a_name_of_its_own() -> None:
    request = asked(["relabel", ["outcome", "relabel"]], seeds=2, seed=5)
    configs = [
        request.run_config(Job(name, seed), Path("there"), POLICY) for seed in (5, 6) for name in request.methods
    ]
    names = [config.run_name for config in configs]
    assert names == ["relabel-5", "outcome-relabel-5", "relabel-6", "outcome-relabel-6"]
    assert {config.output_dir for config in configs} == {"there"}
    assert [config.seed for config in configs] == [5, 5, 6, 6]


def test_gold_answers_stand_for_attempts() -> None:
    request = asked(["sft", "outcome"])
    gold, sampled = run_config(request, "supervised"), run_config(request, "outcome")
    assert (sampled.stop.max_attempts, sampled.stop.max_steps, sampled.prompts_per_step) == (64, None, 4)
    assert (gold.stop.max_attempts, gold.stop.max_steps, gold.prompts_per_step) == (None, 8, 8)


def test_gold_answers_are_counted_in_tokens() -> None:
    """An answer of the toy task is one word and the end of the text: two tokens."""
    gold = run_config(asked(["sft", "outcome"], stop=StopConfig(max_tokens=100)), "supervised")
    assert gold.stop.max_steps == 7, "of 8 answers, which are 16 tokens"
    assert gold.stop.max_tokens is None


def test_time_is_the_same_for_all_and_so_are_steps() -> None:
    gold = run_config(asked(["sft", "outcome"], stop=StopConfig(max_seconds=9, max_steps=3)), "supervised")
    assert (gold.stop.max_seconds, gold.stop.max_steps) == (9, 3)


def test_a_step_stays_as_it_is_where_nobody_samples() -> None:
    gold = run_config(asked(["sft"]), "supervised")
    assert (gold.prompts_per_step, gold.stop.max_steps) == (4, 16)


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"stop": StopConfig(max_attempts=160)}, 2),
        ({"stop": StopConfig(max_attempts=16)}, 1),
        ({"stop": StopConfig(max_steps=80)}, 10),
        ({"stop": StopConfig(max_seconds=80)}, 20),
        ({"eval_steps": 7}, 7),
    ],
)
def test_curves_have_some_points(settings: dict[str, Any], steps: int) -> None:
    assert run_config(asked(["outcome"], **settings), "outcome").eval_steps == steps


@pytest.mark.parametrize(
    ("methods", "change", "complaint"),
    [
        ([], {}, "methods: none: name at least one"),
        (["outcome", "relable"], {}, "methods: relable: unknown; did you mean 'relabel'?"),
        (["sft", "outcome", "supervised"], {}, "methods: supervised: is named twice"),
        (["outcome"], {"seeds": 0}, "seeds: 0: has to be at least 1"),
        ([{"name": "relabel", "num_goals": "x"}], {}, "hindsight.num_goals: x: must be"),
        ([{"name": "revise", "template": "no place"}], {}, "template: no place: has no"),
    ],
)
def test_bad_input_is_named(methods: list[Any], change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BacksightError) as raised:
        asked(methods, **change)
    assert str(raised.value).startswith(complaint)


def test_a_method_that_does_not_fit_the_settings_is_refused() -> None:
    with pytest.raises(BacksightError, match="num_generations: 1: algorithm=grpo compares siblings"):
        asked(["sft", "outcome"], num_generations=1)
