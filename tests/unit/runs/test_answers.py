"""Single prompts, answered by one policy or two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import reciting_policy, tiny_classifier, tiny_policy

from backsight.errors import BacksightError
from backsight.runs.answers import Trial, TrialOptions, try_prompts


def options(**change: Any) -> TrialOptions:
    known = {"system": None, "temperature": 1.0, "max_tokens": 6, "seed": 0, "samples": 2}
    return TrialOptions(**{**known, **change})


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("one", 0), ("twin", 0), ("other", 1)):
        tiny_policy(seed=seed).save(tmp_path / name)
    reciting_policy("yes").save(tmp_path / "yes")
    tiny_classifier(("no", "maybe")).save(tmp_path / "labels")


@pytest.mark.usefixtures("models")
def test_both_policies_draw_with_the_same_seeds() -> None:
    trial = try_prompts("one", ["a", "b"], options(), against="twin")
    assert [len(answers["policy"]) for answers in trial.answers] == [2, 2]
    assert all(answers["policy"] == answers["against"] for answers in trial.answers)
    assert len({each.text for answers in trial.answers for each in answers["policy"]}) == 4
    other = try_prompts("one", ["a", "b"], options(seed=1), against="other")
    assert other.answers[0]["policy"] != other.answers[0]["against"]
    assert other.answers != trial.answers


@pytest.mark.usefixtures("models")
def test_as_plain_values() -> None:
    trial: Trial = try_prompts("yes", ["a"], options(samples=1, system="s"), against="labels")
    found = json.loads(json.dumps(trial.as_dict()))
    [prompt] = found.pop("prompts")
    shared = {"system": "s", "temperature": 1.0, "max_tokens": 6, "seed": 0, "samples": 1}
    assert found == {"paths": {"policy": "yes", "against": "labels"}, **shared}
    assert prompt["prompt"] == "a" and prompt["answers"]["policy"] == [{"text": "yes", "is_truncated": False}]
    assert set(prompt["answers"]["against"][0]["probabilities"]) == {"no", "maybe"}
    assert trial.without_template == ["labels"]


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("prompts", "against", "message"),
    [
        (["a"], "./one", "against: ./one: is the policy itself, whose answers would be the same; name another one"),
        (["a", ""], None, "prompt: '': is empty"),
        ([], None, "prompt: None: write at least one"),
        (["a"], "./nowhere", "policy: ./nowhere: no such folder"),
    ],
)
def test_what_cannot_be_tried_is_named(prompts: list[str], against: str | None, message: str) -> None:
    with pytest.raises(BacksightError, match=f"^{message}"):
        try_prompts("one", prompts, options(), against)
