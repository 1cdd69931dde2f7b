"""The parts of the speed benchmark, on models of a few hundred weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from benchmarks.shared.places import REPOSITORY
from benchmarks.speed import pretrained
from benchmarks.speed.backsight import PromptsTask, run
from benchmarks.speed.children import Job, Measurement
from benchmarks.speed.classic import train
from benchmarks.speed.comparison import Comparison, Plan
from benchmarks.speed.limit import count_operations
from benchmarks.speed.model import save_model
from benchmarks.speed.pretrained import lay_out
from benchmarks.speed.workloads import SMOLLM2_WORKLOADS, Shape, Workload, draw_prompts
from tiny_models import tiny_policy

from backsight.policies.opening import open_policy
from backsight.training.progress import draw_starts

TINY = Workload("tiny", 3, 4, 2, 2, Shape(16, 1, 2, 1, 8, 32, 64))


@pytest.mark.parametrize("workload", [TINY, *SMOLLM2_WORKLOADS], ids=lambda each: each.name)
def test_a_workload_is_the_same_in_another_process(workload: Workload) -> None:
    assert Workload.from_dict(json.loads(json.dumps(asdict(workload)))) == workload


def test_steps_take_the_prompts_in_the_order_given() -> None:
    texts = draw_prompts(TINY, 3, seed=1)
    items = PromptsTask(texts, seed=1).items("train")
    assert len(set(texts)) == 6 and all(len(text.split()) == 3 for text in texts)
    assert [item.prompt for item in draw_starts(items, 0, 6, 1)] == texts


@pytest.mark.parametrize("rank", [None, 2])
def test_a_job_is_measured(rank: int | None, tmp_path: Path) -> None:
    job = Job(replace(TINY, lora_rank=rank), str(tmp_path), steps=2)
    save_model(job)
    measured = run(job)
    assert measured.tokens == 16 and len(measured.step_times) == 2
    assert {"decode", "forward", "backward", "optimizer"} <= measured.profile.keys()


def test_a_pretrained_model_shares_its_weights_and_ends_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = tmp_path / "source", tmp_path / "job" / "model"
    policy = tiny_policy()
    policy.save(source)
    monkeypatch.setattr(pretrained, "NEVER_SAID", policy.tokenizer.pad_token)
    lay_out(source, folder, ("a", "b"))
    (first,), (second,) = (policy.tokenizer.encode(each, add_special_tokens=False) for each in "ab")
    assert open_policy(str(folder)).end_tokens == (policy.tokenizer.pad_token_id, first, second)
    assert (folder / "model.safetensors").resolve() == (source / "model.safetensors").resolve()


def test_an_adapter_takes_two_passes_where_all_weights_take_three() -> None:
    body = 16 * 16 + 2 * 16 * 8 + 16 * 16 + 3 * 16 * 32
    prefill = 2 * body * 6 + 4 * 6 * 1.5 * 16
    decode = 2 * (body + 16 * 64) * 16 + 4 * 16 * (3 + 2) * 16
    whole, adapted = (count_operations(replace(TINY, lora_rank=rank), tokens=16) for rank in (None, 4))
    assert (whole.prefill, whole.decode, whole.learn) == (prefill, decode, 3 * (prefill + decode))
    assert adapted.learn == 2 * (prefill + decode)
    assert count_operations(replace(TINY, constant_share=0.75), 16).learn == 0.75 * (prefill + decode)


def test_shares_of_the_limit_are_of_each_phase() -> None:
    profile = {"decode": 2.0, "forward": 1.0, "backward": 2.5, "optimizer": 0.5}
    own = Measurement([9.0, 8.0], 16.0, 0.0, 1.0, 0.5, 1.0, profile)
    work = count_operations(TINY, 16.0)
    rates = {"decode": work.decode, "learn": work.learn}  # either would take a second
    found = Comparison(TINY, Plan(1, 2, 1, "cpu"), [own], [own], rates).shares_of_phases
    assert [(each.row, each.value) for each in found] == [
        ("tiny: share of the limit in decoding", 0.5),
        ("tiny: share of the limit in the update", 0.25),
    ]


def test_rows_are_of_a_model_and_a_device() -> None:
    command = [sys.executable, "benchmarks/speed/run.py", "--model", "smollm2", "--only", "classic"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--only classic: unknown; there are: SmolLM2, even; " in done.stderr


def test_a_training_that_the_environment_ends_is_counted_to_its_last_step() -> None:
    assert train("backsight", 0, 300).steps == 300
