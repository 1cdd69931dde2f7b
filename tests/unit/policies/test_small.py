"""The one builder of small models: what it makes of a tokenizer, a name and a shape."""

import pytest
import torch
from transformers import AutoTokenizer

from backsight.policies.small import (
    CONFIGS,
    ENCODER_DECODERS,
    ENCODERS,
    make_byte_tokenizer,
    make_small_model,
    make_word_tokenizer,
)

SHAPE = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
SHAPES = {
    "bart": {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24},
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 1, "n_heads": 2},
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "mt5": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 1, "num_heads": 2},
}


@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_architecture_is_of_its_kind_and_has_the_vocabulary_of_the_tokenizer(architecture: str) -> None:
    tokenizer = make_byte_tokenizer()
    model = make_small_model(tokenizer, architecture, **SHAPES.get(architecture, SHAPE))
    assert model.config.vocab_size == model.get_input_embeddings().weight.shape[0] == len(tokenizer)
    special = (model.config.eos_token_id, model.config.bos_token_id, model.config.pad_token_id)
    assert special == (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id) == (0, 0, 1)
    assert model.config.is_encoder_decoder == (architecture in ENCODER_DECODERS)
    assert (model.get_output_embeddings() is None) == (architecture in ENCODERS)
    assert model.dtype == torch.float32 and not model.training


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone() -> None:
    tokenizer = make_byte_tokenizer()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = (weights(make_small_model(tokenizer, seed=seed, **SHAPE)) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_without_a_seed_the_global_generator_decides() -> None:
    tokenizer = make_byte_tokenizer()
    torch.manual_seed(3)
    one, two = (weights(make_small_model(tokenizer, seed=None, **SHAPE)) for _ in range(2))
    assert torch.equal(one, weights(make_small_model(tokenizer, seed=3, **SHAPE)))
    assert not torch.equal(one, two)


def test_any_text_has_tokens_and_a_word_is_one_of_them() -> None:
    tokenizer = make_byte_tokenizer(("red", "green"))
    assert len(tokenizer) == 2 + 256 + 2
    assert len(tokenizer("red red", add_special_tokens=False)["input_ids"]) == 3 + 1  # a word is one behind a space
    tokens = tokenizer("Grün, 🦆 red", add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(tokens) == "Grün, 🦆 red"


def test_pieces_stand_as_they_are_given() -> None:
    tokenizer = make_byte_tokenizer({"ab": -1.0, "bc": -2.0}, rare=-5.0)
    tokens = tokenizer("abc", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(tokens) == ["ab", "c"]  # -1 - 5, and not -5 - 2


def test_the_template_says_what_stands_around_a_prompt() -> None:
    bare = tuple(make_byte_tokenizer(template=None)("a")["input_ids"])
    assert len(bare) == 1
    assert tuple(make_byte_tokenizer()("a")["input_ids"]) == (0, *bare)
    assert tuple(make_byte_tokenizer(template="$A <end>")("a")["input_ids"]) == (*bare, 0)


def test_the_special_tokens_can_be_named() -> None:
    tokenizer = make_byte_tokenizer(template="$A </s>", end="</s>", padding="<nothing>", model_max_length=9)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.model_max_length) == ("</s>", "<nothing>", 9)
    assert tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id == 0


def test_of_a_vocabulary_of_words_every_word_is_a_token_and_no_other_is_known(tmp_path: object) -> None:
    made = make_word_tokenizer(["well-known", "is", "it", "?", "is"])
    made.save_pretrained(str(tmp_path))
    for tokenizer in (made, AutoTokenizer.from_pretrained(str(tmp_path))):
        assert len(tokenizer) == 1 + 4 and tokenizer.eos_token_id == tokenizer.pad_token_id == 0
        tokens = tokenizer("is it well-known?")["input_ids"]
        assert tokenizer.convert_ids_to_tokens(tokens) == ["is", "it", "well-known", "?"]
        with pytest.raises(Exception, match=r"Missing \[UNK\] token"):
            tokenizer("is it true?")
