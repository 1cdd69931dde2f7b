"""What is looked at before any training."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tiny_models import tiny_policy
from tokenizers.normalizers import NFKC

from backsight.config import RunConfig
from backsight.errors import DataError, ModelError, RewardError
from backsight.presets.base import find_preset, make_task
from backsight.runs import check as module
from backsight.runs.check import check as run_checks
from backsight.tasks.sentiment import SentimentTask


def check(config: RunConfig) -> list[tuple[str, str]]:
    return run_checks(config, make_task(config))


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    tiny_policy("gpt2", words=("positive", "negative")).save(tmp_path / "model")  # reads 128 tokens
    labels = ("positive", "negative")
    rows = [json.dumps({"text": f"text {number}", "label": labels[number % 2]}) for number in range(6)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows))
    settings = {"data": str(path), "eval_data": str(path), "policy": str(tmp_path / "model"), "num_generations": 2}
    return find_preset("sentiment", settings).configure(settings)


def test_it_says_what_it_looked_at(config: RunConfig) -> None:
    outcomes = dict(check(config))
    assert outcomes.pop("sampler and learner").startswith("log-probabilities differ by at most ")
    tried = {name: outcomes.pop(name) for name in list(outcomes) if name.startswith(("prompt of", "answer"))}
    assert tried
    assert outcomes == {
        "gold answers of train": "6 score full marks",
        "gold answers of test": "6 score full marks",
        "prompts": "leave room for 8 tokens",
    }


def test_it_says_which_gold_answers_nobody_can_write(tmp_path: Path) -> None:
    """The tokenizer writes ！ as !, as those with the normalisation NFKC do, and one answer is longer than the cap."""
    policy = tiny_policy("gpt2", words=("yes",))
    policy.tokenizer.backend_tokenizer.normalizer = NFKC()
    policy.save(tmp_path / "model")
    targets = ["是！", "yes", "yes " * 9]
    rows = [json.dumps({"source": f"s{number}", "target": target}) for number, target in enumerate(targets)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows))
    settings = {"data": str(path), "eval_data": str(path), "policy": str(tmp_path / "model"), "num_generations": 2}
    config = find_preset("translation", settings).configure(settings, {"max_completion_length": 8})
    told = dict(check(config))["gold answers of train"]
    assert told.startswith("3 score full marks, but 1 of them come back from the policy's tokenizer with chrf 0.")
    assert told.endswith(
        "exact 0.00 (' 是!' for ' 是！'), and 1 of them are longer than max_completion_length=8 tokens"
    )


def test_it_says_which_prompts_were_cut(config: RunConfig) -> None:
    assert config.data is not None
    with Path(config.data).open("a") as file:
        file.write("\n" + json.dumps({"text": "word " * 60, "label": "positive"}))
    with pytest.raises(DataError, match="or set long_prompts=truncate"):
        check(config)
    told = dict(check(config.model_copy(update={"long_prompts": "truncate"})))["prompts"]
    assert told == "long_prompts=truncate: cut the prompts of 1 of 7 items of train, 1 of 7 items of test"


def test_a_gold_answer_that_is_wrong_is_named(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentimentTask, "full_marks", 2.0)
    with pytest.raises(DataError, match="train/1.target: .*the gold answer scores 1.0, not 2.0"):
        check(config)


def test_a_sampler_that_disagrees_is_named(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def disagree(*_: Any) -> float:
        raise ModelError("policy", "log-probabilities differ by 1", "sampler and learner disagree")

    monkeypatch.setattr(module, "sampler_learner_difference", disagree)
    with pytest.raises(ModelError, match="disagree"):
        check(config)


def test_a_judge_that_ends_the_program_or_hangs_is_named(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentimentTask, "judge", lambda *_: sys.exit(3))
    with pytest.raises(RewardError, match=r"task 'sentiment', gold answers: called sys.exit\(3\): mend the task"):
        check(config)
    monkeypatch.setattr(SentimentTask, "judge", lambda *_: time.sleep(60))
    with pytest.raises(RewardError, match="task 'sentiment', gold answers: hangs: gave no answer in 1 s"):
        check(config.model_copy(update={"reward_timeout": 1.0}))
