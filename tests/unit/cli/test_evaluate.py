"""`backsight evaluate`: the tables, the files, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import tiny_policy

import backsight
from backsight.evaluation.paired import Comparison
from backsight.evaluation.statistics import Estimate
from backsight.runs.evaluate import Assessment

Run = Callable[..., tuple[int, str, str]]
COMMAND = "evaluate"

REWARD = {"test": {"reward": Estimate(0.25, 0.2, 0.3, 100)}}
ALONE = Assessment({}, {"policy": "runs/toy"}, 1, {}, {}, {"policy": REWARD}, {}, [])
COMPARISON = Comparison(0.2, 0.25, Estimate(0.05, -0.01, 0.11, 100), 0.0731)
BOTH = Assessment(
    splits={},
    paths={"policy": "runs/toy", "against": "pocket"},
    num_samples=4,
    item_ids={},
    scores={},
    estimates={"policy": REWARD, "against": REWARD},
    comparisons={"test": {"reward": COMPARISON}},
    alarms=["test: the reward rose, but [quality] fell"],
)


@pytest.fixture
def sentiment(tmp_path: Path) -> list[str]:
    """Two models, rows, and the words that name the first and the rows."""
    for seed, name in enumerate(("one", "two")):
        tiny_policy(words=("positive", "negative"), seed=seed).save(tmp_path / name)
    labels = ("positive", "negative")
    rows = [json.dumps({"text": f"text {number}", "label": labels[number % 2]}) for number in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "far.jsonl").write_text("\n".join(rows[:4]))
    data = ["data=rows.jsonl", "eval_data=rows.jsonl", "ood_data=far.jsonl"]
    return ["sentiment", *data, "policy=one", "eval_items=5", "max_completion_length=3"]


def told(monkeypatch: pytest.MonkeyPatch, found: Assessment) -> list[tuple[Any, Any]]:
    """Instead of an evaluation; the calls that came for one."""
    calls: list[tuple[Any, Any]] = []

    def assess(config: Any, task: Any, **arguments: Any) -> Assessment:
        calls.append((config, arguments))
        return found

    monkeypatch.setattr("backsight.runs.evaluate.assess", assess)
    return calls


def test_it_prints_a_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = told(monkeypatch, ALONE)
    code, out, _ = run("instructions", "policy=runs/toy", "eval_items=3")
    assert code == 0
    ((config, arguments),) = calls
    assert (config.policy, config.eval_items) == ("runs/toy", 3)
    assert arguments == {"against": None, "samples": 1, "splits": [], "general_text": None}
    assert "policy runs/toy: greedy" in out and "test: reward" in out and "0.250 (0.200–0.300)" in out
    assert "alarm" not in out


def test_two_policies_are_told_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = told(monkeypatch, BOTH)
    words = ("--against", "pocket", "--samples", "4", "--splits", "test, ood", "--general-text", "t.txt")
    code, out, _ = run("instructions", "policy=runs/toy", *words)
    assert code == 0
    assert calls[0][1] == {"against": "pocket", "samples": 4, "splits": ["test", "ood"], "general_text": Path("t.txt")}
    assert "policy runs/toy, against pocket: 4 samples an item" in out
    assert "0.050 (-0.010 to 0.110)" in out and "0.0731" in out
    assert "alarm: test: the reward rose, but [quality] fell\n" in out
    assert "paired sign-flip tests at 95 %" in out


def test_a_run_in_earnest(run: Run, sentiment: list[str], tmp_path: Path) -> None:
    (tmp_path / "general.txt").write_text("a few words of general text, " * 20)
    options = ["--against", "two", "--samples", "2", "--general-text", "general.txt", "--json", "all.json"]
    code, out, err = run(*sentiment, *options)
    assert (code, err) == (0, "")
    assert "ood: valid" in out and "ood: macro_f1" in out and "test: pass@2" in out and "written: all.json" in out
    found = json.loads((tmp_path / "all.json").read_text())
    assert found["paths"] == {"policy": "one", "against": "two"}
    assert set(found["item_ids"]) == {"test", "ood", "general text"}
    rewards = found["scores"]["policy"]["test"]["reward"]
    assert len(rewards) == 5 and found["estimates"]["policy"]["test"]["reward"]["mean"] == sum(rewards) / 5
    assert set(found["estimates"]["policy"]["ood"]["macro_f1"]) == {"mean", "low", "high", "count"}
    assert "macro_f1" not in found["comparisons"]["ood"], "no item has it, so nothing can be paired"
    assert found["comparisons"]["general text"]["log-probability a token"]["p"] <= 1


def test_the_function_gives_the_same_estimates(run: Run, sentiment: list[str], tmp_path: Path) -> None:
    options = ["--against", "two", "--samples", "3", "--splits", "ood,test", "--json", "all.json"]
    assert run(*sentiment, *options)[0] == 0
    settings = yaml.safe_load("\n".join(word.replace("=", ": ") for word in sentiment[1:]))
    policy = settings.pop("policy")
    found = backsight.evaluate(policy, "sentiment", against="two", samples=3, splits=["ood", "test"], **settings)
    written = json.loads((tmp_path / "all.json").read_text())
    assert written == {"preset": "sentiment", **json.loads(json.dumps(found.as_dict()))}
    assert found["ood"].reward == found.estimates["policy"]["ood"]["reward"]


def test_prompts_that_are_too_long_are_refused_or_cut(run: Run, sentiment: list[str], tmp_path: Path) -> None:
    long = {"text": "a very long text " * 40, "label": "positive"}
    tiny_policy("gpt2").save(tmp_path / "one")
    (tmp_path / "far.jsonl").write_text(f"{json.dumps({'text': 'short', 'label': 'negative'})}\n{json.dumps(long)}\n")
    code, out, err = run(*sentiment)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ood/2.prompt: a very long text") and "exceed the model's 128" in err
    assert err.endswith(", or set long_prompts=truncate (1 of 2 items of ood are too long)\n")
    code, out, err = run(*sentiment, "long_prompts=truncate", "--against", "two")
    assert (code, err) == (0, "")
    assert "long_prompts=truncate: cut the prompts of 1 of 2 items of ood\n" in out


def test_a_picture_is_drawn(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told(monkeypatch, BOTH)
    code, out, _ = run("instructions", "--plot", "all.png")
    assert code == 0 and out.endswith("drawn: all.png\n")
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_is_there_is_left_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = told(monkeypatch, ALONE)
    (tmp_path / "all.json").write_text("mine")
    code, out, err = run("instructions", "--json", "all.json")
    assert (code, out, calls) == (2, "", [])
    assert err == "error: json: all.json: exists and is left as it is; choose another name, or move it away\n"
    assert (tmp_path / "all.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--samples", "0"], "samples: 0: has to be at least 1"),
        (["--splits", "tets"], "splits: tets: unknown; did you mean 'test'?"),
        (["--splits", ""], "splits: : unknown; known: ood, test, train"),
        (["--general-text", "no.txt"], "general_text: no.txt: cannot be read (No such file or directory)"),
        (["--general-text", "empty.txt"], "general_text: empty.txt: is empty"),
        (["--general-text", "latin.txt"], "general_text: latin.txt: byte 3 is not UTF-8"),
        (["--against", "./nowhere"], "policy: ./nowhere: no such folder"),
        (["--json", "nowhere/all.json"], "json: nowhere/all.json: there is no folder nowhere"),
        (["--json", "all.txt"], "json: all.txt: give it one of the endings .json"),
        (["--plot", "all.gif"], "plot: all.gif: give it one of the endings .png, .pdf, .svg"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str], message: str, run: Run, sentiment: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    code, out, err = run(*sentiment, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


def test_an_unknown_preset_is_named(run: Run) -> None:
    code, out, err = run("sentimant")
    assert (code, out) == (2, "")
    assert err.startswith("error: preset: sentimant: unknown; did you mean 'sentiment'?") and err.count("\n") == 1


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    code, _, err = run()
    assert code == 2
    assert "Traceback" not in err
