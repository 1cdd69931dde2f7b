"""The preset `summarization`, from rows to what hindsight makes of an attempt."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_classifier, tiny_policy
from unit.hindsight.fakes import FakeScorer, attempt, group_of

from backsight.cli.main import main
from backsight.hindsight.response.options import GoldAnchorOptions
from backsight.hindsight.target.options import SelfDistillOptions
from backsight.tasks.summarization import SummarizationTask

ROWS = [
    {"document": f"{number} men went to mow a meadow. " * (1 + number % 2 * 5), "summary": f"{number} men mow"}
    for number in range(40)
]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A model of 128 tokens, and rows of which every second is longer."""
    tiny_policy("gpt2").save(tmp_path / "model")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    fixed = {"prompts_per_step": 2, "num_generations": 2, "max_completion_length": 4, "eval_items": 4}
    paths = {"data": tmp_path / "rows.jsonl", "policy": tmp_path / "model", "output_dir": tmp_path / "runs"}
    return [f"{key}={value}" for key, value in {**fixed, **paths, "stop.max_steps": 1, "run_name": "run"}.items()]


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["backsight", *words])
    with pytest.raises(SystemExit) as ending:
        main()
    return int(ending.value.code or 0)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_long_documents_are_refused_or_cut_and_the_run_says_so(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "train", "summarization", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: train/") and error.count("\n") == 1
    assert ", or set long_prompts=truncate (" in error and not (tmp_path / "runs").exists()

    arguments = [*arguments, "long_prompts=truncate"]
    assert run_main(monkeypatch, "check", "summarization", *arguments) == 0
    assert "prompts: long_prompts=truncate: cut the prompts of" in capsys.readouterr().out
    assert run_main(monkeypatch, "train", "summarization", *arguments) == 0
    told = "long_prompts=truncate: cut the prompts of"
    assert told in capsys.readouterr().out
    assert lines(tmp_path / "runs" / "run" / "messages.jsonl")[0]["message"].startswith(told)
    prompts = [row["prompt"] for row in lines(tmp_path / "runs" / "run" / "trajectories.jsonl")]
    assert prompts and all(prompt.endswith("\nTL;DR:") for prompt in prompts)
    assert max(len(prompt) for prompt in prompts) < 128


def test_the_gold_answer_reaches_methods_that_learn_from_it(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROWS[0]))
    task = SummarizationTask(str(tmp_path / "rows.jsonl"), test=str(tmp_path / "rows.jsonl"))
    (item,) = task.items("train")
    failed = attempt(feedback=task.judge(item, "no men"), prompt=item.prompt, start=item)
    group = group_of(failed, failed, start=item)
    for taught in SelfDistillOptions().build().look_back([group], FakeScorer()).examples:
        assert taught.teacher_prompts == (f"A correct answer: 0 men mow\n{item.prompt}",)
    gold = GoldAnchorOptions().build().look_back([group], FakeScorer()).examples[-1]
    assert (gold.prompts, gold.responses) == ((item.prompt,), (FakeScorer().encode(" 0 men mow"),))


@pytest.mark.parametrize(
    ("preset", "row"),
    [
        ("summarization", {"document": "a", "summary": "b"}),
        ("translation", {"source": "a", "target": "b"}),
    ],
)
def test_a_classifier_cannot_write_and_is_told_which_preset_it_fits(
    preset: str,
    row: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny_classifier(("bad", "good")).save(tmp_path / "bert")
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    data = [f"{name}={tmp_path / 'rows.jsonl'}" for name in ("data", "eval_data")]
    for command in ("train", "evaluate", "check"):
        assert run_main(monkeypatch, command, preset, *data, f"policy={tmp_path / 'bert'}") == 2
        error = capsys.readouterr().err
        assert error.startswith("error: policy: ") and error.count("\n") == 1
        assert "this task wants text; use preset sentiment, or another model" in error


def test_a_classifier_with_other_labels_than_the_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_classifier(("bad", "good")).save(tmp_path / "bert")
    rows = [{"text": "a", "label": "bad"}, {"text": "b", "label": "great"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = [f"{name}={tmp_path / 'rows.jsonl'}" for name in ("data", "eval_data")]
    assert run_main(monkeypatch, "train", "sentiment", *data, f"policy={tmp_path / 'bert'}") == 2
    error = capsys.readouterr().err
    assert "its labels are bad, good, the task's bad, great; rename them in one of the two" in error
    assert error.count("\n") == 1
