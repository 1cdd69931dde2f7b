"""The lengths that models were made for, wherever their configuration says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from tiny_models import LLAMA, SIZES, T5, tiny_seq2seq, tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from backsight.errors import DataError
from backsight.policies import limits
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.rollouts.engines import engine_for
from backsight.types import Example, Sampling

TOKENS = {"vocab_size": len(tiny_tokenizer()), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
GEMMA = {**LLAMA, **TOKENS, "head_dim": 16, "max_position_embeddings": 96, "sliding_window": 8}
VISION = {**SIZES, "num_hidden_layers": 1, "image_size": 28, "patch_size": 14}
MIXED = ["sliding_attention", "full_attention"]


def llama(**settings: Any) -> Any:
    return transformers.LlamaConfig(**{**LLAMA, **TOKENS, "max_position_embeddings": 512, **settings})


def gemma(**settings: Any) -> Any:
    """A model of text and images, whose settings of the text stand apart."""
    text = {**GEMMA, "layer_types": MIXED, **settings}
    return transformers.Gemma3Config(text_config=text, vision_config=VISION, mm_tokens_per_image=4)


def gpt_neo(kind: str = "local", **settings: Any) -> Any:
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48}
    shape = {"attention_types": [[["global", kind], 1]], "window_size": 32, "max_position_embeddings": 512, **settings}
    return transformers.GPTNeoConfig(**sizes, **TOKENS, **shape)


def made(config: Any, auto: Any = AutoModelForCausalLM) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = auto.from_config(config).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(6.0)
    return model


def rope(**table: Any) -> Any:
    return llama(rope_parameters={"rope_theta": 10_000.0, **table})


FACTORS = {"short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
CONFIGS = {
    "llama": (llama(), 512, None),
    "text within": (gemma(), 96, 8),
    "text within, no window": (gemma(layer_types=["full_attention"] * 2), 96, None),
    "one window for all": (transformers.MistralConfig(**LLAMA, **TOKENS, sliding_window=8), 131072, 8),
    "switched off": (
        transformers.Qwen2Config(**LLAMA, **TOKENS, use_sliding_window=False, sliding_window=8),
        32768,
        None,
    ),
    "local": (gpt_neo(), 512, 32),
    "alibi": (transformers.MptConfig(d_model=32, n_layers=1, n_heads=2, max_seq_len=64, **TOKENS), 64, None),
    "no limit": (transformers.BloomConfig(hidden_size=32, n_layer=1, n_head=2, **TOKENS), None, None),
    "dynamic": (rope(rope_type="dynamic", factor=4.0), 512, None),
    "dynamic, shorter": (rope(rope_type="dynamic", factor=4.0, original_max_position_embeddings=64), 64, None),
    "longrope": (rope(rope_type="longrope", factor=8.0, original_max_position_embeddings=64, **FACTORS), 64, None),
    "yarn": (rope(rope_type="yarn", factor=8.0, original_max_position_embeddings=64), 512, None),
    "linear": (rope(rope_type="linear", factor=2.0), 512, None),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_length_and_window_are_read_where_they_stand(case: str) -> None:
    config, length, window = CONFIGS[case]
    model = torch.nn.Module()
    model.config = config
    assert limits.max_length(model) == length
    assert limits.attention_window(model) == window


def test_positions_that_stand_for_padding_do_not_count() -> None:
    config = transformers.RobertaConfig(**SIZES, **TOKENS, max_position_embeddings=34, num_labels=2)
    policy = ClassifierPolicy(made(config, AutoModelForSequenceClassification), tiny_tokenizer())
    policy.tokenizer.model_max_length = 10**30
    assert policy.max_length == 32
    engine = engine_for(policy)
    dict(engine.act(["a" * 31], Sampling(), [0]))
    with pytest.raises(DataError, match="33 tokens exceed the model's 32"):
        dict(engine.act(["a" * 32], Sampling(), [0]))


def test_encoder_and_decoder_have_limits_of_their_own() -> None:
    assert limits.part_length(tiny_seq2seq("t5").model, "encoder") is None
    assert limits.part_length(tiny_seq2seq("bart").model, "decoder") == 128
    apart = transformers.T5Config(**T5, **TOKENS)
    apart.max_encoder_position_embeddings, apart.max_position_embeddings = 40, 20
    model = torch.nn.Module()
    model.config = apart
    assert [limits.part_length(model, part) for part in ("encoder", "decoder")] == [40, 20]


LONG = "the cat sat on the mat and looked at the moon"
AGREEING = {
    "windows within the text's settings": gemma(max_position_embeddings=256),
    "windows counted in columns": gpt_neo(),
    "chunks": transformers.Llama4TextConfig(
        **LLAMA, **TOKENS, head_dim=16, attention_chunk_size=16, num_local_experts=2, max_position_embeddings=256
    ),
    "a table that changes with the length": CONFIGS["dynamic, shorter"][0],
    "keys wider than values": transformers.DeepseekV3Config(
        **SIZES, **TOKENS, num_key_value_heads=2, moe_intermediate_size=32, n_routed_experts=4, num_experts_per_tok=2,
        q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16, n_group=1, topk_group=1,
        max_position_embeddings=256,
    ),
}  # fmt: skip


@pytest.mark.parametrize("siblings", [2, 8])
@pytest.mark.parametrize("case", AGREEING)
@torch.no_grad()
def test_sampler_learner_and_a_plain_row_agree(case: str, siblings: int) -> None:
    policy = CausalLMPolicy(made(AGREEING[case]), tiny_tokenizer())
    sampling = Sampling(max_completion_length=16)
    prompts = [LONG] * siblings + ["a dog"] * siblings
    actions = dict(engine_for(policy).act(prompts, sampling, range(len(prompts))))
    answers = [actions[index].value for index in range(len(prompts))]
    rows = [
        Example((prompt,), (answer,), "test", torch.ones(len(answer)))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    sampler_N = torch.cat([actions[index].log_probs for index in range(len(prompts))])
    torch.testing.assert_close(policy.log_probs(rows, sampling).log_probs_N, sampler_N, atol=5e-5, rtol=0)
    read = torch.tensor([[*policy.prompt_tokens(LONG), *answers[siblings - 1]]])
    logits_TV = (
        policy.model(input_ids=read, use_cache=False).logits[0, -len(answers[siblings - 1]) - 1 : -1].log_softmax(-1)
    )
    by_hand_T = logits_TV.gather(-1, torch.tensor(answers[siblings - 1])[:, None])[:, 0]
    torch.testing.assert_close(actions[siblings - 1].log_probs, by_hand_T, atol=5e-5, rtol=0)


def test_beyond_a_table_that_changes_a_prompt_is_refused() -> None:
    policy = CausalLMPolicy(made(CONFIGS["longrope"][0]), tiny_tokenizer())
    with pytest.raises(DataError, match="60 tokens and max_completion_length=8 exceed the model's 64"):
        policy.check_prompt("a" * 59, 8)


def test_wide_rows_are_tried_once_and_only_where_siblings_share_them() -> None:
    policy = CausalLMPolicy(made(gpt_neo()), tiny_tokenizer())
    assert policy.anatomy.obeys(8, 16) and not policy.anatomy.obeys(8, 64)
    tried = dict(policy.anatomy._tried)
    assert policy.anatomy.obeys(7, 15) and policy.anatomy._tried == tried
    everywhere = CausalLMPolicy(made(gpt_neo("global")), tiny_tokenizer())
    assert everywhere.anatomy.obeys(16, 256)
    assert not everywhere.anatomy.obeys(16, 600), "there is no room for so many columns in its mask"
