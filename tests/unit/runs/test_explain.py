"""Why a model changed, on a small run: which rows, and which tokens."""

import json
from pathlib import Path

import pytest
from small_runs import sentiment_run

from backsight.errors import ConfigError, DataError
from backsight.reports.run_folder import RunReader
from backsight.runs.explain import explain_answer, explain_attempt, explain_held_out, find_trace


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"stop": {"max_steps": 3}, "save_steps": 1, "save_total_limit": 9, "trace": "all"}
    return sentiment_run(tmp_path_factory.mktemp("explain"), **settings)


def test_right_answers_are_what_made_the_right_answer_likelier(run: Path) -> None:
    prompt = RunReader(run).trajectories()[0]["prompt"]
    found = explain_answer(run, prompt, " positive")
    assert list(found.steps) == [1, 2, 3] and not found.notes
    assert found.rows[0].effect > 0 and "gold_anchor" in found.rows[0].method
    assert [abs(each.effect) for each in found.rows] == sorted((abs(each.effect) for each in found.rows), reverse=True)
    assert sum(found.by("method").values()) == pytest.approx(sum(found.steps.values()))
    assert list(found.by("method"))[0] == found.rows[0].method
    assert json.loads(json.dumps(found.as_dict()))["rows"][0]["step"] == found.rows[0].step


def test_steps_can_be_named(run: Path) -> None:
    assert list(explain_answer(run, "t1", " negative", [2]).steps) == [2]


def test_what_is_rewarded_on_a_split_is_explained(run: Path) -> None:
    found = explain_held_out(run, "test", [1], num_items=2, num_samples=3)
    assert list(found.steps) == [1] and found.what == "what is rewarded on test"


def test_a_split_that_is_not_there_is_named(run: Path) -> None:
    with pytest.raises(ConfigError, match="held_out: nowhere: no such split; there are test"):
        explain_held_out(run, "nowhere")


def test_an_empty_answer_is_refused(run: Path) -> None:
    with pytest.raises(DataError, match="completion: .* is empty"):
        explain_answer(run, "t1", " ")


def test_words_about_a_traced_attempt_have_an_effect_on_each_token(run: Path) -> None:
    pieces, effect = explain_attempt(run, 1, 0, 0, said="Say positive. Be brief.")
    assert len(pieces) == len(effect.whole_T) and len(effect.sentences) == 2
    assert effect.whole_T.abs().max() > 0


def test_an_attempt_that_was_not_traced_is_named_with_those_that_were(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"attempt: 1/9/9: was not traced; of this step there are 1/0/0, 1/0/1"):
        find_trace(RunReader(run), 1, 9, 9)
    with pytest.raises(ConfigError, match=r"attempt: 7/0/0: no such step; traced are 1, 2, 3"):
        find_trace(RunReader(run), 7, 0, 0)
