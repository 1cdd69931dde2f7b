"""What a rehearsal learns, and what it tells."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_policy, tiny_seq2seq

from backsight.planning.measuring import Teller
from backsight.presets.base import configure
from backsight.runs.rehearsal import lengthened, rehearse
from backsight.types import Example


def rehearse_tiny(tmp_path: Path, layers: tuple[int, ...] = (), **settings: Any) -> list[dict[str, Any]]:
    rows = [json.dumps({"source": f"number {each}", "target": "red"}) for each in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    own = {"data": str(tmp_path / "rows.jsonl"), "policy": str(tmp_path / "model"), "max_completion_length": 4}
    config, _ = configure("translation", {**own, "num_generations": 2, "eval_items": 4, **settings})
    stream = io.StringIO()
    rehearse(config, Teller(stream), 5.0, layers)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_rehearsal_grows_to_a_whole_step(tmp_path: Path) -> None:
    tiny_policy(words=("red",)).save(tmp_path / "model")
    told = rehearse_tiny(tmp_path, prompts_per_step=3)
    names = [each["name"] for each in told]
    assert names[:6] == ["started", "paper", "opened", "step", "decoding", "learnt"] and "sizes" in names
    steps = [each for each in told if each["name"] == "step"]
    assert [each["prompts"] for each in steps[:3]] == [1, 1, 3] and steps[0]["is_small"]
    assert [each["attempts"] for each in steps[:3]] == [2, 2, 6]
    decoding = next(each for each in told if each["name"] == "decoding")
    assert decoding["rows"] == 6 and decoding["bytes"] > 0


@pytest.mark.parametrize("method", ["supervised", "self_distill"])
def test_it_is_the_same_for_methods_of_other_kinds(tmp_path: Path, method: str) -> None:
    tiny_seq2seq(words=("red",)).save(tmp_path / "model")
    told = rehearse_tiny(tmp_path, prompts_per_step=2, hindsight=method, adapter={"r": 2})
    learnt = [each for each in told if each["name"] == "learnt"]
    assert learnt[-1]["tokens"] > 0 and learnt[-1]["share"] == 1.0


def test_layers_are_left_out(tmp_path: Path) -> None:
    tiny_policy(words=("red",), num_hidden_layers=4).save(tmp_path / "model")
    told = rehearse_tiny(tmp_path, (2, 1), prompts_per_step=1, adapter=None)
    opened = [each for each in told if each["name"] == "opened"]
    assert [each["size"]["num_layers"] for each in opened] == [2, 1]
    paper = next(each for each in told if each["name"] == "paper")
    assert paper["size"]["num_layers"] == paper["depth"] == 4


def test_responses_are_lengthened_and_all_of_them_is_learnt() -> None:
    example = Example(("a",), ((5, 6, 7),), method="x", advantages=torch.zeros(3), behaviour_log_probs=torch.zeros(3))
    longer = lengthened(example, 5)
    assert longer.responses == ((5, 6, 7, 5, 6),)
    assert longer.advantages is not None and longer.advantages.tolist() == [1.0] * 5
    assert longer.imitation_weights is None and longer.num_decisions == 5
