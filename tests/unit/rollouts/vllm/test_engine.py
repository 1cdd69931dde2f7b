import copy
import gc
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fake_vllm import FakeVllm
from tests.tiny_models import tiny_policy, tiny_seq2seq
from tests.toy_tasks import GoalString

import backsight
from backsight.errors import BacksightError, ConfigError, DataError, EngineError, ModelError
from backsight.hindsight.base import policy_gradient_row
from backsight.policies import adapters
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.text import TextPolicy
from backsight.rollouts.base import acting_as, keep_files
from backsight.rollouts.vllm.engine import VllmEngine
from backsight.rollouts.vllm.facts import look_at
from backsight.rollouts.vllm.options import VllmOptions
from backsight.types import Action, PartialCompletion, Sampling, Step, Trajectory

PROMPTS = ["a", "a", "something longer", "b"]
SAMPLING = Sampling(max_completion_length=6)


@pytest.fixture
def policy() -> CausalLMPolicy:
    return tiny_policy()


@pytest.fixture
def server(policy: CausalLMPolicy) -> Iterator[FakeVllm]:
    with FakeVllm(copy.deepcopy(policy)) as fake:
        yield fake


def engine(server: FakeVllm, policy: TextPolicy, **options: Any) -> VllmEngine:
    """An engine whose server has the weights of the policy, and that waits hardly before it asks again."""
    made = VllmOptions(url=server.url, **options).build(policy)
    assert isinstance(made, VllmEngine)
    made.client.first_wait = 0.01
    made.load_weights(policy)
    return made


def act(made: VllmEngine, sampling: Sampling = SAMPLING, prompts: Sequence[Any] = PROMPTS) -> list[Action]:
    found = list(made.act(prompts, sampling, range(len(prompts))))
    assert sorted(index for index, _ in found) == list(range(len(prompts))), "none is lost, and none comes twice"
    return [action for _, action in sorted(found, key=lambda each: each[0])]


def change(policy: CausalLMPolicy, size: float = 0.1) -> None:
    with torch.no_grad():
        for weight in policy.module.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)) * size)


@pytest.mark.parametrize(
    "sampling",
    [
        SAMPLING,
        Sampling(temperature=0.5, top_k=5, max_completion_length=6),
        Sampling(top_p=0.8, max_completion_length=6),
        Sampling(min_p=0.2, top_k=7, max_completion_length=6),
        Sampling(min_completion_length=4, max_completion_length=6),
    ],
)
def test_log_probabilities_are_those_that_the_learner_scores(
    server: FakeVllm, policy: CausalLMPolicy, sampling: Sampling
) -> None:
    made = engine(server, policy)
    for prompt, action in zip(PROMPTS, act(made, sampling), strict=True):
        row = policy_gradient_row(
            Trajectory(None, (Step(prompt, action, 0.0, True, False),)), torch.zeros(len(action.log_probs))
        )
        own_T = policy.log_probs([row], sampling).log_probs_N
        assert torch.allclose(own_T, action.log_probs, atol=1e-5)
        has_ended = action.value[-1] in policy.end_tokens
        assert action.is_truncated is not has_ended and (has_ended or len(action.value) == 6)
        assert len(action.value) >= sampling.min_completion_length


def test_a_seed_draws_the_same_whatever_else_is_asked_for(server: FakeVllm, policy: CausalLMPolicy) -> None:
    made = engine(server, policy)
    together = act(made)
    assert [act(made, prompts=[prompt])[0].value for prompt in PROMPTS[:1]] == [together[0].value]
    assert together[0].value != together[1].value, "siblings have seeds of their own"


def test_a_begun_completion_counts_towards_its_length_and_its_stop_string(
    server: FakeVllm, policy: CausalLMPolicy
) -> None:
    made = engine(server, policy)
    begun = PartialCompletion("a", policy.prompt_tokens("xy"))
    (action,) = act(made, Sampling(max_completion_length=4), [begun])
    assert 1 <= len(action.value) <= 2
    (whole,) = act(made, Sampling(max_completion_length=20, min_completion_length=20), ["a"])
    assert whole.text is not None
    stop = whole.text[3:5]
    (stopped,) = act(made, Sampling(max_completion_length=20, min_completion_length=20, stop_strings=(stop,)), ["a"])
    assert stopped.text is not None and stopped.text.endswith(stop) and not stopped.is_truncated
    assert stopped.value == whole.value[: len(stopped.value)] and len(stopped.log_probs) == len(stopped.value)


def test_new_weights_arrive_and_old_ones_are_not_sent_again(server: FakeVllm, policy: CausalLMPolicy) -> None:
    made = engine(server, policy)
    facts = look_at(made.client, policy)
    assert (facts.version, made.dtype, facts.max_length) == ("0.32.0", torch.float32, 256)
    before = act(made)
    made.load_weights(policy)
    assert server.asked["/collective_rpc"] == 1
    change(policy)
    made.load_weights(policy)
    assert server.asked["/collective_rpc"] == 2 and made.version.endswith("-2") == server.version.endswith("-2")
    assert [each.value for each in act(made)] != [each.value for each in before]
    place = made.folder / "weights"
    assert [each.name for each in place.iterdir()] == [server.version], "weights of before are deleted"
    assert made.profile.seconds["sync"] > 0


def test_files_lie_where_the_run_wants_them_and_weights_go_with_the_engine(
    server: FakeVllm, policy: CausalLMPolicy, tmp_path: Path
) -> None:
    made = VllmOptions(url=server.url).build(policy)
    keep_files(made, tmp_path / "engine")
    made.load_weights(policy)
    assert (tmp_path / "engine" / "weights" / server.version).is_dir()
    del made
    gc.collect()
    assert list((tmp_path / "engine").iterdir()) == []


@pytest.mark.parametrize("size", [0.1, 1e-4])
def test_a_server_that_keeps_its_old_weights_is_found_out(
    server: FakeVllm, policy: CausalLMPolicy, size: float
) -> None:
    made = engine(server, policy)
    server.ignores_weights = True
    change(policy, size)
    with pytest.raises(EngineError, match="has not taken the new weights: .* differs"):
        made.load_weights(policy)
    server.hides_checksums = True
    if size > 1e-3:  # then its answers show it as well
        with pytest.raises(EngineError, match=r"does not have the new weights: log-probabilities .* \(bounds"):
            made.load_weights(policy)


def test_an_adapter_has_a_new_name_for_each_version(server: FakeVllm, policy: CausalLMPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path)
    policy.model.name_or_path = str(tmp_path)
    adapters.put_on(policy.model, AdapterConfig(r=2))
    server.lora = {"max_lora_rank": 16}
    made = engine(server, policy)
    change(policy)
    made.load_weights(policy)
    assert list(server.adapters) == [made.version] and server.asked["/collective_rpc"] == 0
    assert len(act(made)) == 4
    server.faults = ["restart"]
    assert len(act(made)) == 4, "an adapter that a new server does not know is loaded again"
    server.ignores_weights, server.adapters = True, {}
    change(policy)
    with pytest.raises(EngineError, match="does not have the new weights"):
        made.load_weights(policy)


@pytest.mark.parametrize("faults", [["500"], ["half"], ["500", "half", "500"], ["restart"], ["hang"]])
def test_faults_that_pass_lose_nothing_and_double_nothing(
    server: FakeVllm, policy: CausalLMPolicy, faults: list[str]
) -> None:
    made = engine(server, policy)
    expected = [each.value for each in act(made)]
    made.client.timeout, server.faults = 0.5, list(faults)
    assert [each.value for each in act(made)] == expected
    assert not server.faults


def test_a_server_that_stays_broken_ends_in_one_line(server: FakeVllm, policy: CausalLMPolicy) -> None:
    made = engine(server, policy, retries=1)
    server.faults = ["500"] * 1000
    with pytest.raises(EngineError, match=r"answered 500: EngineCore encountered an issue. 2 times; see the log"):
        act(made)
    server.faults = ["garbage"] * 10
    with pytest.raises(EngineError, match=r"vLLM 0.32.0 answers /inference/v1/generate otherwise"):
        act(made)
    server.faults = ["restart"] * 1000
    with pytest.raises(EngineError, match="goes on with other weights; does a second run use it"):
        act(made)


def refused(server: FakeVllm, policy: TextPolicy, kind: type[BacksightError], match: str) -> None:
    asked = server.asked["/collective_rpc"]
    with pytest.raises(kind, match=match) as caught:
        engine(server, policy)
    assert server.asked["/collective_rpc"] == asked, "nothing of the server was changed"
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_server_that_does_not_fit_is_refused_before_it_is_changed(server: FakeVllm, policy: CausalLMPolicy) -> None:
    server.settings["logprobs_mode"] = "raw_logprobs"
    refused(server, policy, ConfigError, "start it with --logprobs-mode=processed_logprobs")
    server.settings["logprobs_mode"] = "processed_logprobs"
    server.tokenizer = tiny_policy(words=("Tokens", "out")).tokenizer
    refused(server, policy, ModelError, "has another tokenizer")
    server.tokenizer = policy.tokenizer
    server.policy = tiny_policy(num_hidden_layers=3)
    refused(server, policy, ModelError, "serves a model of 3 layers, and this one has")
    server.closed = {"/server_info"}
    refused(server, policy, EngineError, "environment variable VLLM_SERVER_DEV_MODE=1")
    server.closed, server.settings = set(), {}
    refused(server, policy, EngineError, "does not tell its settings as 0.32 does")


def test_an_adapter_needs_a_server_that_has_some(server: FakeVllm, policy: CausalLMPolicy) -> None:
    adapters.put_on(policy.model, AdapterConfig(r=12))
    refused(server, policy, ConfigError, "has no adapters; start it with --enable-lora --max-lora-rank=12")
    server.lora = {"max_lora_rank": 8}
    refused(server, policy, ConfigError, "takes adapters up to rank 8")


def test_what_vllm_cannot_do_is_refused(server: FakeVllm, policy: CausalLMPolicy) -> None:
    refused(server, tiny_seq2seq(), ModelError, "vLLM samples from decoder-only models alone")
    made = engine(server, policy)
    with pytest.raises(ConfigError, match="min_p: 0.1: vLLM applies it before top_p"):
        act(made, Sampling(min_p=0.1, top_p=0.9))
    server.settings["max_model_len"] = 20
    with pytest.raises(DataError, match=r"prompt: \d+ tokens: with a completion is longer than the server's 20"):
        act(engine(server, policy), Sampling(max_completion_length=30))
    with pytest.raises(ConfigError, match="cannot act as another policy, which a teacher needs"):
        acting_as(made, policy, "a teacher")
    server.closed = {"/inference/v1/generate"}
    with pytest.raises(EngineError, match="start it with --enable-scale-out"):
        act(made)
    dora = tiny_policy()
    adapters.put_on(dora.model, AdapterConfig(name="dora", r=2))
    refused(server, dora, ConfigError, "vLLM has no such adapters")


def test_log_probabilities_of_another_distribution_are_found_out(server: FakeVllm, policy: CausalLMPolicy) -> None:
    server.reads_raw = True
    with pytest.raises(EngineError, match="log-probabilities of its answers differ"):
        engine(server, policy)


def test_no_server_at_the_address() -> None:
    options = VllmOptions(url="http://127.0.0.1:9", retries=0)
    with pytest.raises(EngineError, match=r"engine.url: http://127.0.0.1:9: cannot be reached"):
        options.build(tiny_policy())


def test_steps_are_sampled_ahead_while_evaluations_use_the_server_too(policy: CausalLMPolicy, tmp_path: Path) -> None:
    policy.save(tmp_path / "model")
    runs = []
    for name in ("one", "again"):
        with FakeVllm(copy.deepcopy(policy)) as server:
            result = backsight.finetune(
                str(tmp_path / "model"),
                GoalString(1),
                engine={"name": "vllm", "url": server.url},
                max_staleness=2,
                loss_type="tis",
                eval_steps=1,
                eval_items=2,
                prompts_per_step=1,
                num_generations=4,
                max_completion_length=4,
                stop={"max_steps": 4},
                output_dir=str(tmp_path),
                run_name=name,
            )
        runs.append(result.folder)
    rows = [json.loads(line) for line in (runs[0] / "metrics.jsonl").read_text().splitlines()]
    assert [row["sampling/staleness"] for row in rows] == [0, 1, 2, 2]
    for file in ("policy/model.safetensors", "trajectories.jsonl"):
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes()
