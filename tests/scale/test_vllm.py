"""The engine `vllm` with vLLM itself, its CPU build where there is no GPU.

BACKSIGHT_VLLM_PYTHON names the Python in which vLLM is installed, unless it is the one that runs the tests.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.tiny_models import tiny_policy

from backsight.errors import ConfigError, ModelError
from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.rollouts.vllm.engine import VllmEngine
from backsight.rollouts.vllm.options import VllmOptions
from backsight.rollouts.vllm.proof import differences
from backsight.rollouts.vllm.server import check_installed
from backsight.types import Sampling

PYTHON = os.environ.get("BACKSIGHT_VLLM_PYTHON", sys.executable)
WORDS = ("--enforce-eager", "--max-model-len=128", "--max-num-seqs=16", "--max-num-batched-tokens=128")
PROMPTS = ["a", "a", "something longer", "b"]
SAMPLING = Sampling(max_completion_length=8)


def _why_not() -> str | None:
    try:
        check_installed(PYTHON)
    except ConfigError as error:
        return f"{error} (docs/scale.md has the commands)"
    return None


pytestmark = pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model whose heads are as wide as vLLM's kernels need them."""
    folder = tmp_path_factory.mktemp("model")
    tiny_policy(hidden_size=64, num_attention_heads=2, num_key_value_heads=1).save(folder)
    return folder


@pytest.fixture(scope="module")
def engine(base: Path) -> Iterator[VllmEngine]:
    policy = open_policy(str(base))
    made = VllmOptions(start=True, python=PYTHON, arguments=WORDS).build(policy)
    assert isinstance(made, VllmEngine)
    made.load_weights(policy)
    yield made
    assert made.server is not None
    made.server.stop()


def test_more_prompts_than_are_read_at_once_are_answered(engine: VllmEngine) -> None:
    """Parts of a prompt with a seed would end vLLM 0.32 on a CPU."""
    prompts = [f"{number} " * 30 for number in range(12)]
    answers = dict(engine.act(prompts, SAMPLING, range(len(prompts))))
    assert sorted(answers) == list(range(len(prompts)))


def largest_difference(engine: VllmEngine, sampling: Sampling) -> float:
    """Return how far log-probabilities of the server are from those of the learner."""
    answers = dict(engine.act(PROMPTS, sampling, range(len(PROMPTS))))
    in_order = [answers[index] for index in range(len(PROMPTS))]
    return float(differences(engine.policy, PROMPTS, in_order, sampling).max())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.5, "top_k": 7},
        {"temperature": 1.5, "top_p": 0.8},
        {"min_p": 0.1, "top_k": 9},
        {"min_completion_length": 5},
        {"temperature": 0.0},
    ],
)
def test_both_sides_see_the_same_distribution(engine: VllmEngine, changes: dict[str, float]) -> None:
    sampling = replace(SAMPLING, **changes)
    assert largest_difference(engine, sampling) < 1e-3
    for _, action in engine.act(PROMPTS, sampling, range(len(PROMPTS))):
        assert sampling.min_completion_length <= len(action.value) <= 8
        assert action.is_truncated is (action.value[-1] not in engine.policy.end_tokens)


def test_a_seed_draws_the_same_alone_and_among_others(engine: VllmEngine) -> None:
    together = {index: action.value for index, action in engine.act(PROMPTS, SAMPLING, range(4))}
    ((_, alone),) = engine.act(PROMPTS[2:3], SAMPLING, [2])
    assert alone.value == together[2] and together[0] != together[1]


def test_a_stop_string_ends_an_answer_behind_itself(engine: VllmEngine) -> None:
    whole = replace(SAMPLING, max_completion_length=20, min_completion_length=20)
    ((_, action),) = engine.act(["a"], whole, [0])
    assert action.text is not None
    stop = action.text[4:6]
    ((_, stopped),) = engine.act(["a"], replace(whole, stop_strings=(stop,)), [0])
    assert stopped.text is not None and stopped.text.endswith(stop) and not stopped.is_truncated
    assert stopped.value == action.value[: len(stopped.value)]


@pytest.mark.parametrize("part", ["embed_tokens", "q_proj", "o_proj", "up_proj", "down_proj", "norm"])
def test_each_kind_of_weight_arrives(engine: VllmEngine, part: str) -> None:
    """The embedding is the head as well, which vLLM's CPU build keeps packed."""
    with torch.no_grad():
        for name, weight in engine.policy.module.named_parameters():
            if part in name:
                weight.mul_(1.5)
    assert largest_difference(engine, SAMPLING) > 0.01
    engine.load_weights(engine.policy)
    assert largest_difference(engine, SAMPLING) < 1e-3


def test_a_server_that_was_killed_is_started_anew(engine: VllmEngine) -> None:
    expected = {index: action.value for index, action in engine.act(PROMPTS, SAMPLING, range(4))}
    assert engine.server is not None
    first, engine.client.retries = engine.server, 0
    subprocess.run(["pkill", "-9", "-f", "--", f"--port={first.url.rpartition(':')[2]}"], check=True)
    assert {index: action.value for index, action in engine.act(PROMPTS, SAMPLING, range(4))} == expected
    assert engine.server is not first and first.has_ended()


def test_adapters_reach_the_rollouts(base: Path) -> None:
    policy = open_policy(str(base))
    assert isinstance(policy, CausalLMPolicy)
    adapters.put_on(policy.model, AdapterConfig(r=4))
    made = VllmOptions(start=True, python=PYTHON, arguments=WORDS).build(policy)
    assert isinstance(made, VllmEngine)
    try:
        made.load_weights(policy)
        for number in range(2):
            with torch.no_grad():
                for name, weight in policy.module.named_parameters():
                    if "lora" in name:
                        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
            assert largest_difference(made, SAMPLING) > 0.01
            made.load_weights(policy)
            assert largest_difference(made, SAMPLING) < 1e-3
    finally:
        assert made.server is not None
        made.server.stop()


def test_a_run_by_the_command_line(base: Path, tmp_path: Path) -> None:
    """Three steps by a server of the run's own; nothing is left running, and nothing but the log in its folder."""
    rows = [json.dumps({"source": word, "target": "aa"}) for word in "abcd"]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    words = ["train", "translation", f"policy={base}", "data=rows.jsonl", "hindsight=gold_anchor"]
    words += ["engine=vllm", "engine.start=true", f"engine.python={PYTHON}", f"engine.arguments={json.dumps(WORDS)}"]
    words += ["prompts_per_step=2", "max_completion_length=8", "stop.max_steps=3", "run_name=run", "learning_rate=1e-3"]
    done = subprocess.run(
        [sys.executable, "-m", "backsight", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line) for line in (tmp_path / "runs/run/metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 3 and all(0 <= each["sampling/sampling_logp_difference/max"] < 1e-3 for each in steps)
    assert all(each["time/sync"] > 0 for each in steps[1:])
    assert [each.name for each in (tmp_path / "runs/run/engine").iterdir()] == ["server.log"]
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed


def test_another_model_at_the_address(engine: VllmEngine) -> None:
    assert engine.server is not None
    other = tiny_policy(num_hidden_layers=3)
    with pytest.raises(ModelError, match="serves a model of 2 layers, and this one has 3"):
        VllmOptions(url=engine.server.url).build(other)
