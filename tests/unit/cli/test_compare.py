"""`backsight compare`: what it asks for, what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy

from backsight.comparison import compare
from backsight.comparison.request import Request
from backsight.comparison.results import ComparisonResult, MethodResult
from backsight.evaluation.across_seeds import SeedScores
from backsight.evaluation.paired import Comparison
from backsight.evaluation.statistics import Estimate
from backsight.training.config import StopConfig

Run = Callable[..., tuple[int, str, str]]
COMMAND = "compare"

SCORES = {"test": {"reward": SeedScores(Estimate(0.25, 0.2, 0.3, 100), (0.2, 0.3))}}
AGAINST = {"test": {"reward": Comparison(0.2, 0.25, Estimate(0.05, -0.01, 0.11, 100), 0.0731)}}
COST = {"steps": 1, "gold_answers": 0, "attempts": 8, "tokens": 16, "seconds": 1.0}
FAILED = MethodResult("hindsight: [hca]: does not fit")


def result(**change: Any) -> ComparisonResult:
    known: dict[str, Any] = {
        "folder": Path("comparisons/toy"),
        "preset": "instructions",
        "policy": "pocket",
        "budget": {"max_attempts": 8},
        "unit": "attempts",
        "seeds": [0, 1],
        "control": "outcome",
        "splits": ["test"],
        "before": SCORES,
        "methods": {
            "outcome": MethodResult(None, COST, SCORES),
            "relabel": MethodResult(None, COST, SCORES, AGAINST),
            "hca": FAILED,
        },
    }
    return ComparisonResult(**{**known, **change})


def told(monkeypatch: pytest.MonkeyPatch, found: ComparisonResult) -> list[Request]:
    """Instead of training; the requests that came."""
    requests: list[Request] = []

    def run(request: Request) -> ComparisonResult:
        requests.append(request)
        return found

    monkeypatch.setattr(compare, "run", run)
    return requests


def test_it_asks_for_what_was_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = told(monkeypatch, result())
    options = ["--methods", "sft, outcome,relabel", "--seeds", "2", "--attempts", "8", "--name", "mine"]
    code, _, _ = run("instructions", "eval_items=3", *options, "--general-text", "t.txt")
    assert code == 0
    (request,) = requests
    assert list(request.methods) == ["supervised", "outcome", "relabel"]
    assert (request.seeds, request.general_text) == (2, Path("t.txt"))
    shared = request.shared
    assert (shared.eval_items, shared.output_dir, shared.run_name) == (3, "comparisons", "mine")
    assert shared.stop == StopConfig(max_attempts=8), "in place of the preset's"


@pytest.mark.parametrize(
    ("words", "stop"),
    [
        ([], StopConfig(max_seconds=120)),
        (["stop.max_seconds=5"], StopConfig(max_seconds=5)),
        (["--seconds", "5"], StopConfig(max_seconds=5)),
        (["--tokens", "5"], StopConfig(max_tokens=5)),
    ],
)
def test_budgets(words: list[str], stop: StopConfig, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = told(monkeypatch, result())
    assert run("instructions", "policy=pocket", *words)[0] == 0
    assert requests[0].shared.stop == stop


def test_it_prints_tables_and_where_the_report_lies(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, result())
    code, out, err = run("instructions")
    assert (code, err) == (0, "")
    assert "In domain: test" in out and "0.0731" in out and "Cost of a run" in out
    assert "hca: no figures, because hindsight: [hca]: does not fit\n" in out
    assert out.endswith("report: comparisons/toy/report.html and comparisons/toy/report.md\n")


def test_when_all_failed_the_exit_code_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, result(methods={"hca": FAILED}))
    assert run("instructions", "--methods", "hca")[0] == 2


@pytest.mark.parametrize("named", [True, False])
def test_when_interrupted_it_says_how_to_go_on(named: bool, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, result(interrupted=True, methods={}))
    words = ["instructions", "eval_items=3", *(["--name", "toy"] if named else [])]
    code, out, _ = run(*words)
    assert code == 130
    assert out.endswith("go on with: backsight compare instructions eval_items=3 --name toy\n")


@pytest.fixture
def sentiment(tmp_path: Path) -> list[str]:
    """A model and rows, and the words that name them."""
    tiny_policy(words=("positive", "negative")).save(tmp_path / "one")
    labels = ("positive", "negative")
    rows = [json.dumps({"text": f"text {number}", "label": labels[number % 2]}) for number in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    small = ["eval_items=4", "max_completion_length=3", "prompts_per_step=2", "num_generations=2"]
    return ["sentiment", "data=rows.jsonl", "eval_data=rows.jsonl", "policy=one", *small]


def test_a_comparison_in_earnest(run: Run, sentiment: list[str], tmp_path: Path) -> None:
    options = ["--methods", "sft,outcome", "--seeds", "1", "--tokens", "20"]
    code, out, err = run(*sentiment, *options)
    assert (code, err) == (0, "")
    assert "run 1 of 2: supervised, seed 0\n" in out
    assert out.endswith("report: comparisons/sentiment/report.html and comparisons/sentiment/report.md\n")
    assert (tmp_path / "comparisons" / "sentiment" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "outcome,relable"], "methods: relable: unknown; did you mean 'relabel'?"),
        (["--methods", "sft,supervised"], "methods: supervised: is named twice"),
        (["--methods", ","], "methods: none: name at least one"),
        (["--seeds", "0"], "seeds: 0: has to be at least 1"),
        (["--attempts", "9", "--seconds", "9"], "budget: --attempts and --seconds: give one of them"),
        (["--attempts", "9", "stop.max_steps=3"], "budget: --attempts and stop.max_steps=3: give one of them"),
        (["--attempts", "0"], "stop.max_attempts: 0: must be greater than or equal to 1"),
        (["--name", "../up"], "run_name: ../up: must match"),
        (["--name", "taken"], "name: comparisons/taken: holds no comparison; choose another name"),
        (["--general-text", "no.txt"], "general_text: no.txt: cannot be read"),
        (["num_generations=1", "--methods", "outcome"], "num_generations: 1: algorithm=rloo compares siblings"),
        (["policy=./nowhere"], "policy: ./nowhere: no such folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str], message: str, run: Run, sentiment: list[str], tmp_path: Path
) -> None:
    taken = tmp_path / "comparisons" / "taken"
    taken.mkdir(parents=True)
    (taken / "mine.txt").write_text("mine")
    code, out, err = run(*sentiment, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
    assert [path.name for path in taken.parent.rglob("*")] == ["taken", "mine.txt"]
