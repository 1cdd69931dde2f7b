"""What policies that read text share: prompts in tokens, siblings, and answers that end."""

import copy

import pytest
import torch
from tiny_models import tiny_policy, tiny_tokenizer
from transformers import GenerationConfig

from backsight.errors import ConfigError, DataError, ModelError
from backsight.policies.text import begun_tokens, check_can_score, end_tokens
from backsight.types import Example, PartialCompletion, Sampling


def test_an_encoded_answer_ends() -> None:
    policy = tiny_policy(words=("yes",))
    assert policy.decode(policy.encode(" yes")) == " yes"
    assert policy.encode(" yes")[-1] == policy.end_tokens[0]


def test_chat_messages_need_a_template() -> None:
    policy = tiny_policy()
    with pytest.raises(ModelError, match="no chat template"):
        policy.prompt_tokens([{"role": "user", "content": "hi"}])
    policy.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}!{% endfor %}"
    assert policy.decode(policy.prompt_tokens([{"role": "user", "content": "hi"}])).endswith("hi!")


def test_a_prompt_without_tokens_is_named() -> None:
    policy = tiny_policy()
    policy.tokenizer = tiny_tokenizer(template="$A")
    with pytest.raises(DataError, match="prompt: : has no tokens, and the tokenizer adds none"):
        policy.prompt_tokens("")


def test_a_completion_that_is_begun_stands_behind_its_prompt() -> None:
    policy = tiny_policy()
    begun = PartialCompletion("ab", (5, 6))
    assert policy.prompt_tokens(begun) == (*policy.prompt_tokens("ab"), 5, 6)
    assert begun_tokens(begun) == (5, 6) and begun_tokens("ab") == ()


def test_siblings_have_the_same_prompts() -> None:
    rows = [Example(prompts, ((5,),) * len(prompts), "test") for prompts in (("a",), ("b",), ("a",), ("a", "b"))]
    assert tiny_policy().siblings(rows) == [[0, 2], [1], [3]]


def test_every_end_of_the_model_ends_a_completion_and_the_tokenizers_own_comes_first() -> None:
    policy = tiny_policy()
    policy.model.generation_config = GenerationConfig(eos_token_id=[7, 0, 9])
    assert end_tokens(policy.model, policy.tokenizer) == (0, 7, 9)
    policy.model.generation_config, policy.tokenizer.eos_token = None, None
    with pytest.raises(ModelError, match="has no end-of-text token; set tokenizer.eos_token"):
        end_tokens(policy.model, policy.tokenizer)


def test_a_copy_shares_what_is_not_trained() -> None:
    policy = tiny_policy()
    frozen, *trained = policy.module.parameters()
    frozen.requires_grad_(False)
    copied, *own = copy.deepcopy(policy).module.parameters()
    assert copied is frozen
    assert all(torch.equal(one, other) and one is not other for one, other in zip(own, trained, strict=True))


def test_a_way_of_sampling_without_a_score_is_refused() -> None:
    check_can_score(Sampling(temperature=0.7, top_k=3))
    with pytest.raises(ConfigError, match="repetition_penalty: 1.2"):
        check_can_score(Sampling(repetition_penalty=1.2))


def test_a_character_of_several_tokens_stands_with_the_last_of_them() -> None:
    policy = tiny_policy(words=("red",))
    response = policy.encode("é🦊 red!")
    assert policy.pieces(response) == ["", "é", "", "", "", "🦊", " red", "!", policy.tokenizer.eos_token]
    half = response[:4]
    assert "".join(policy.pieces(half)) == policy.decode(half), "a character that is cut off is shown as such"
    assert policy.pieces(()) == []
