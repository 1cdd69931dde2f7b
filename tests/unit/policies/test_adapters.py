"""Adapters: what is trained, that sampler and learner see it, and that what is saved is PEFT's."""

import builtins
import copy
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_classifier, tiny_policy, tiny_seq2seq
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification

from backsight.errors import ConfigError, ModelError
from backsight.hindsight.base import policy_gradient_row
from backsight.policies import adapters
from backsight.policies.base import trained_weights
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.opening import open_policy
from backsight.policies.scoring import log_probs
from backsight.policies.text import TextPolicy
from backsight.rollouts.collect import collect
from backsight.rollouts.engines import engine_for
from backsight.tasks.base import Item, SingleTurn
from backsight.types import Example, Sampling

SMALL = AdapterConfig(r=2, lora_alpha=4)
EVERYWHERE = AdapterConfig(r=2, lora_alpha=4, target_modules=("all-linear", "lm_head", "embed_tokens"))
SAMPLING = Sampling(temperature=0.8, max_completion_length=6)
LABELS = ("bad", "good", "fair")


def encoder() -> ClassifierPolicy:
    return tiny_classifier(LABELS)


def with_adapter(policy: Any, config: AdapterConfig = SMALL, strength: float = 0.1) -> Any:
    """A policy that its adapter has changed: B, which is born as zeros, and the rest moved at random."""
    adapters.put_on(policy.model, config)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in trained_weights(policy.module).values():
            weight.add_(torch.randn_like(weight) * strength)
    return policy


def saved_base(folder: Path, architecture: str = "llama") -> str:
    tiny_policy(architecture).save(folder)
    return str(folder)


def rolled_out(policy: TextPolicy) -> list[Example]:
    items = [Item(text, text) for text in ("", "a", "longer prompt")]
    groups = collect(engine_for(policy), SingleTurn, items, 2, SAMPLING, 0)
    attempts = [each for _, group in sorted(groups, key=lambda numbered: numbered[0]) for each in group.trajectories]
    return [policy_gradient_row(each, torch.zeros(each.num_decisions)) for each in attempts]


def outputs(model: Any) -> torch.Tensor:
    with torch.no_grad():
        tokens_BT = torch.tensor([[0, 5, 6, 7], [0, 9, 8, 4]])
        begun = {"decoder_input_ids": tokens_BT[:, :2]} if model.config.is_encoder_decoder else {}
        logits: torch.Tensor = model.eval()(input_ids=tokens_BT, **begun).logits
    return logits


def lines(error: pytest.ExceptionInfo[BaseException]) -> int:
    return str(error.value).count("\n") + 1


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # q 32 to 32, k and v 32 to 16, o 32 to 32, gate and up 32 to 48, down 48 to 32; two layers, rank 2
        (SMALL, 2 * 2 * ((32 + 32) + 2 * (32 + 16) + (32 + 32) + 2 * (32 + 48) + (48 + 32))),
        (AdapterConfig(r=3, target_modules=("q_proj", "v_proj")), 2 * 3 * ((32 + 32) + (32 + 16))),
        # and the length of each of the output's numbers
        (AdapterConfig(name="dora", r=3, target_modules=("v_proj",)), 2 * (3 * (32 + 16) + 16)),
        (AdapterConfig(r=1, target_modules=("layers.0.self_attn.q_proj",)), 32 + 32),
    ],
)
def test_the_adapter_alone_is_trained(config: AdapterConfig, expected: int) -> None:
    policy = tiny_policy()
    adapters.put_on(policy.model, config)
    assert sum(weight.numel() for weight in trained_weights(policy.module).values()) == expected


def test_of_a_classifier_the_head_is_trained_as_a_whole() -> None:
    policy = encoder()
    adapters.put_on(policy.model, AdapterConfig(r=2, target_modules=("query",)))
    head, pooler = 32 * 3 + 3, 32 * 32 + 32
    assert (
        sum(weight.numel() for weight in trained_weights(policy.module).values()) == 2 * 2 * (32 + 32) + head + pooler
    )


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_a_fresh_adapter_changes_nothing_and_is_always_the_same(name: Any) -> None:
    one, two = tiny_policy(), tiny_policy()
    before = outputs(one.model)
    for policy in (one, two):
        torch.rand(1)
        adapters.put_on(policy.model, AdapterConfig(name=name))
    assert torch.allclose(before, outputs(one.model), atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(one.module.parameters(), two.module.parameters(), strict=True))


CASES = {
    "llama": lambda: with_adapter(tiny_policy("llama")),
    "llama with everything adapted": lambda: with_adapter(tiny_policy("llama"), EVERYWHERE),
    "gpt2": lambda: with_adapter(tiny_policy("gpt2")),
    "dora": lambda: with_adapter(tiny_policy("qwen3"), AdapterConfig(name="dora", r=2)),
    "t5": lambda: with_adapter(tiny_seq2seq("t5")),
    "bart": lambda: with_adapter(tiny_seq2seq("bart")),
    "bert": lambda: with_adapter(encoder()),
    "distilbert": lambda: with_adapter(tiny_classifier(LABELS, "distilbert")),
    "modernbert": lambda: with_adapter(tiny_classifier(LABELS, "modernbert")),
}


@pytest.mark.parametrize("case", CASES)
def test_sampler_and_learner_see_the_adapter(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = CASES[case]()
    examples = rolled_out(policy)
    sampler_N = torch.cat([each.behaviour_log_probs for each in examples if each.behaviour_log_probs is not None])
    monkeypatch.setattr(log_probs, "CHUNK_ELEMENTS", 2048)  # several chunks, computed again in the backward pass
    learner_N = policy.log_probs(examples, SAMPLING).log_probs_N
    assert torch.allclose(learner_N, sampler_N, atol=1e-4)
    with torch.no_grad():
        base_N = policy.reference().log_probs(examples, SAMPLING).log_probs_N
    assert not torch.allclose(base_N, sampler_N, atol=1e-2)
    learner_N.sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in trained_weights(policy.module).values())
    assert all(weight.grad is None for weight in policy.module.parameters() if not weight.requires_grad)


@pytest.mark.parametrize("make", [tiny_policy, encoder])
def test_the_reference_is_the_base_and_no_second_copy(make: Any) -> None:
    base, policy = make(), with_adapter(make())
    reference = policy.reference()
    assert torch.equal(outputs(reference.model), outputs(base.model))
    assert not torch.allclose(outputs(policy.model), outputs(base.model), atol=1e-3)  # which keeps its adapter
    own = {weight.data_ptr() for weight in policy.module.parameters()}
    copied = sum(weight.numel() for weight in reference.module.parameters() if weight.data_ptr() not in own)
    assert copied == sum(weight.numel() for weight in trained_weights(policy.module).values())
    assert trained_weights(reference.module) == {}


def test_without_an_adapter_the_reference_is_a_copy() -> None:
    policy = tiny_policy()
    reference = policy.reference()
    assert not {each.data_ptr() for each in policy.module.parameters()} & {
        each.data_ptr() for each in reference.module.parameters()
    }
    assert torch.equal(outputs(policy.model), outputs(reference.model))


def test_a_copy_has_its_own_adapter_on_the_same_base() -> None:
    policy = with_adapter(tiny_policy())
    twin = copy.deepcopy(policy)
    before = outputs(twin.model)
    with torch.no_grad():
        for weight in trained_weights(policy.module).values():
            weight.zero_()
    assert torch.equal(outputs(twin.model), before)
    assert policy.model.model.embed_tokens.weight is twin.model.model.embed_tokens.weight
    engine_for(twin).load_weights(policy)
    assert torch.equal(outputs(twin.model), outputs(policy.model))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # PEFT asks for it
@pytest.mark.parametrize("config", [SMALL, EVERYWHERE, AdapterConfig(name="dora", r=2)])
def test_what_is_saved_loads_with_peft_and_transformers(config: AdapterConfig, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM, PeftModel

    base = saved_base(tmp_path / "base")
    policy = with_adapter(open_policy(base), config)
    policy.save(tmp_path / "adapter")
    expected, folder = outputs(policy.model), str(tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "adapter" / "config.json").exists()
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == base
    readers = {
        "backsight": open_policy(folder).model,
        "peft": PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder),
        "peft's auto class": AutoPeftModelForCausalLM.from_pretrained(folder),
    }
    if config.name == "lora":  # transformers 5.23 looks for DoRA's lengths by a name that PEFT does not give them
        readers["transformers"] = AutoModelForCausalLM.from_pretrained(folder)
    for reader, model in readers.items():
        assert torch.allclose(outputs(model), expected, atol=1e-5), reader


def test_a_classifiers_adapter_loads_with_its_head(tmp_path: Path) -> None:
    encoder().save(tmp_path / "base")
    policy = with_adapter(open_policy(str(tmp_path / "base"), labels=LABELS))
    policy.save(tmp_path / "adapter")
    loaded = open_policy(str(tmp_path / "adapter"), labels=LABELS)
    assert torch.allclose(outputs(loaded.model), outputs(policy.model), atol=1e-6)
    other = AutoModelForSequenceClassification.from_pretrained(str(tmp_path / "adapter"), num_labels=3)
    assert torch.allclose(outputs(other), outputs(policy.model), atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_merged_it_is_a_usual_model_that_computes_the_same(case: str, tmp_path: Path) -> None:
    policy = CASES[case]()
    expected = outputs(policy.model)
    adapters.merge(policy.model)
    assert torch.allclose(outputs(policy.model), expected, atol=1e-3 * float(expected.abs().max()))
    assert len(trained_weights(policy.module)) == len(list(policy.module.parameters()))
    policy.save(tmp_path)
    kind = {"t5": AutoModelForSeq2SeqLM, "bart": AutoModelForSeq2SeqLM}.get(case, AutoModelForCausalLM)
    if case.endswith("bert"):
        kind = AutoModelForSequenceClassification
    assert torch.equal(outputs(kind.from_pretrained(tmp_path)), outputs(policy.model))


TRAINED_TOKENS = {"trainable_token_indices": [6, 7]}
FOREIGN: dict[str, tuple[bool, dict[str, Any]]] = {
    "trained tokens": (False, TRAINED_TOKENS),
    "trained tokens, tied": (True, TRAINED_TOKENS),
    "a whole head": (False, {"modules_to_save": ["lm_head"]}),
    "a whole head, tied": (True, {"modules_to_save": ["lm_head"]}),
    "a whole head that stays tied": (True, {"modules_to_save": ["lm_head"], "ensure_weight_tying": True}),
    "an adapted head, tied": (True, {"target_modules": ["q_proj", "lm_head"]}),
    "adapted embeddings, tied": (True, {"target_modules": ["q_proj", "embed_tokens"]}),
    "trained biases": (False, {"bias": "all"}),
    "pissa": (False, {"init_lora_weights": "pissa"}),
    "rslora": (False, {"use_rslora": True}),
}
"""Adapters of PEFT: whether head and embeddings of their model share a weight, and their settings."""


def made_by_peft(folder: Path, is_tied: bool, **settings: Any) -> tuple[Any, str]:
    """A base, and the folder of an adapter for it whose every weight has moved."""
    import peft

    tiny_policy(tie_word_embeddings=is_tied, attention_bias=settings.get("bias") == "all").save(folder / "base")
    adapter = peft.LoraConfig(r=2, task_type="CAUSAL_LM", **{"target_modules": ["q_proj"], **settings})
    torch.manual_seed(1)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT says of some that they are rare
        model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(folder / "base"), adapter)
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.2)
        model.save_pretrained(folder / "adapter")
    return AutoModelForCausalLM.from_pretrained(folder / "base"), str(folder / "adapter")


@pytest.mark.parametrize("case", FOREIGN)
def test_adapters_of_others_are_referenced_saved_and_merged(case: str, tmp_path: Path) -> None:
    is_tied, settings = FOREIGN[case]
    base, folder = made_by_peft(tmp_path, is_tied, **settings)
    policy = open_policy(folder)
    expected = outputs(policy.model)
    assert not torch.allclose(expected, outputs(base), atol=1e-2)
    assert torch.equal(outputs(policy.reference().model), outputs(base))
    assert torch.equal(outputs(copy.deepcopy(policy).model), expected)
    assert torch.equal(outputs(policy.model), expected)
    policy.save(tmp_path / "again")
    assert torch.allclose(outputs(open_policy(str(tmp_path / "again")).model), expected, atol=1e-5)
    adapters.check_merges(policy.model)
    adapters.merge(policy.model)
    policy.save(tmp_path / "merged")
    assert torch.allclose(outputs(open_policy(str(tmp_path / "merged")).model), expected, atol=1e-4)


def test_in_bfloat16_the_reference_is_the_base_as_well(tmp_path: Path) -> None:
    base, folder = made_by_peft(tmp_path, False, init_lora_weights="pissa")
    policy = open_policy(folder)
    policy.model.to(torch.bfloat16)
    assert torch.equal(outputs(policy.reference().model), outputs(base.to(torch.bfloat16)))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (
            {"init_lora_weights": "pissa_niter_4"},
            "begins with init_lora_weights=pissa_niter_4, which changes its model",
        ),
        ({"init_lora_weights": "olora"}, "begins with init_lora_weights=olora, which changes its model"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "has layer_replication, which works in PEFT's own class alone"),
        ({"alora_invocation_tokens": [6]}, "has alora_invocation_tokens, which works in PEFT's own class alone"),
    ],
)
def test_what_no_reference_can_show_is_refused(settings: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    _, folder = made_by_peft(tmp_path, False, **settings)
    with pytest.raises(ModelError) as error:
        open_policy(folder)
    assert complaint in str(error.value) and lines(error) == 1


def test_a_kind_that_needs_a_class_of_peft_is_refused_by_name(tmp_path: Path) -> None:
    import peft

    base = AutoModelForCausalLM.from_pretrained(saved_base(tmp_path / "base"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft.get_peft_model(base, peft.VeraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    with pytest.raises(ModelError, match="is an adapter of the kind VERA, which works in PEFT's own class alone"):
        open_policy(str(tmp_path / "adapter"))


def test_what_cannot_be_merged_is_refused_before_training(tmp_path: Path) -> None:
    _, folder = made_by_peft(tmp_path, False, lora_bias=True)
    asked = AdapterConfig(r=2, lora_alpha=8)
    policy = open_policy(folder, adapter=asked)  # as an adapter it is good
    before = outputs(policy.model)
    with pytest.raises(ModelError) as error:
        open_policy(folder, adapter=asked.model_copy(update={"merge": True}))
    assert str(error.value).startswith(
        "adapter: lora: cannot be added to the weights of model.layers.0.self_attn.q_proj"
    )
    assert str(error.value).endswith("; leave out adapter.merge") and lines(error) == 1
    with pytest.raises(ModelError, match="cannot be added"):
        adapters.merge(policy.model)
    assert torch.equal(outputs(policy.model), before)


def test_an_adapter_goes_on_where_it_was(tmp_path: Path) -> None:
    policy = with_adapter(open_policy(saved_base(tmp_path / "base")))
    policy.save(tmp_path / "adapter")
    folder = str(tmp_path / "adapter")
    for asked in (None, SMALL):
        loaded = open_policy(folder, adapter=asked)
        assert trained_weights(loaded.module).keys() == trained_weights(policy.module).keys()
        assert all(
            torch.equal(trained_weights(loaded.module)[name], each)
            for name, each in trained_weights(policy.module).items()
        )
    with pytest.raises(ConfigError, match=r"adapter\.r: 8: the policy has an adapter with r=2 already"):
        open_policy(folder, adapter=AdapterConfig(r=8, lora_alpha=4))


@pytest.mark.parametrize(
    ("targets", "complaint"),
    [
        (("q_prj",), "q_prj: no such layer; did you mean 'q_proj'?"),
        (("q_proj", "c_attn"), "c_attn: no such layer"),  # the others match: PEFT would not mind
        (("self_attn",), "self_attn: no such layer"),  # no layer with a weight of its own
        (("xyz",), "known: down_proj, embed_tokens, gate_proj, k_proj"),
    ],
)
def test_targets_that_match_nothing_are_named(targets: tuple[str, ...], complaint: str) -> None:
    policy = tiny_policy()
    with pytest.raises(ConfigError) as error:
        adapters.put_on(policy.model, AdapterConfig(target_modules=targets))
    assert str(error.value).startswith("adapter.target_modules: ") and complaint in str(error.value)
    assert not adapters.has_adapter(policy.model) and all(each.requires_grad for each in policy.module.parameters())


def test_a_weight_of_two_layers_gets_no_adapter() -> None:
    with pytest.raises(ConfigError, match=r"adapter\.target_modules: lm_head: is the same weight"):
        adapters.put_on(tiny_policy("gpt2").model, AdapterConfig(target_modules=("c_attn", "lm_head")))


def base_with(**sizes: int) -> Any:
    policy = tiny_policy()
    for name, size in sizes.items():
        setattr(policy.model.config, name, size)
    policy.model = AutoModelForCausalLM.from_config(policy.model.config).float()
    return policy


@pytest.mark.parametrize(
    "other",
    [
        lambda: base_with(intermediate_size=64),
        lambda: base_with(num_hidden_layers=1),
        lambda: base_with(num_hidden_layers=3),
        lambda: tiny_policy("gpt2"),
    ],
)
def test_an_adapter_for_another_base_is_one_clear_line(other: Any, tmp_path: Path) -> None:
    with_adapter(open_policy(saved_base(tmp_path / "base"))).save(tmp_path / "adapter")
    other().save(tmp_path / "base")  # in its place
    with pytest.raises(ModelError, match=r"is an adapter for another model than .*base: ") as error:
        open_policy(str(tmp_path / "adapter"))
    assert lines(error) == 1 and len(str(error.value)) < 800


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"base_model_name_or_path": None}, "names no model that the adapter is for"),
        ({"base_model_name_or_path": "/nowhere/base"}, "is an adapter for /nowhere/base, which is not there"),
        ({"r": "many"}, ""),
    ],
)
def test_a_folder_that_is_no_whole_adapter_says_so(fields: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    with_adapter(open_policy(saved_base(tmp_path / "base"))).save(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    with pytest.raises(ModelError) as error:
        open_policy(str(tmp_path / "adapter"))
    assert complaint in str(error.value) and lines(error) == 1


def test_damaged_or_missing_weights_say_so(tmp_path: Path) -> None:
    with_adapter(open_policy(saved_base(tmp_path / "base"))).save(tmp_path / "adapter")
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="holds no adapter that loads"):
        open_policy(str(tmp_path / "adapter"))
    weights.unlink()
    with pytest.raises(ModelError, match="holds no adapter that loads"):
        open_policy(str(tmp_path / "adapter"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_four_bits_need_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adapter\.quantize: True: needs an NVIDIA GPU"):
        open_policy(saved_base(tmp_path), adapter=AdapterConfig(quantize=True))
    with pytest.raises(ConfigError, match="the model is loaded already"):
        adapters.put_on(tiny_policy().model, AdapterConfig(quantize=True))


def test_without_peft_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name == "peft":
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ConfigError, match=r"peft is not installed: pip install 'backsight\[adapters\]'"):
        adapters.put_on(tiny_policy().model, SMALL)
