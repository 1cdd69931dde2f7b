"""Odd values for generated inputs: what people, editors and other programs put where something else belongs."""

from __future__ import annotations

import random
from typing import Any

NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "1000000000",
    "9" * 18,
    "9" * 30,
    "1" + "0" * 400,
    "-" + "9" * 30,
    "0.0",
    "-0.0",
    "0.5",
    "1.5",
)
FLOATS = (
    "1e-300",
    "5e-324",
    "1e-320",
    "1e-50",
    "1e38",
    "1e39",
    "1e308",
    "1e309",
    "-1e308",
    "1e30",
    ".nan",
    ".inf",
    "-.inf",
)
TEXTS = (
    "",
    "''",
    "' '",
    "abc",
    "'1'",
    "ä 名",
    '"\\0"',
    '"a\\0b"',
    '"\\e[31mred"',
    '"a\\nb"',
    '"\\u2028"',
    '"\\ud800"',
    '"\\x85"',
    "x" * 5_000,
    "../..",
    "/",
    "a/" * 3_000,
    "~nobody",
    "%s{}{0}",
    "[red]",
)
KINDS = (
    "true",
    "yes",
    "null",
    "none",
    "~",
    "2024-01-01",
    "2024-13-45",
    "12:30:45",
    "2001-12-14t21:59:43.10-05:00",
    "0o8",
    "0x",
    "1_000",
)
NESTS = (
    "[]",
    "{}",
    "[1]",
    "[null]",
    "[[]]",
    "{a: 1}",
    "{1: 2}",
    "{null: null}",
    "{[1]: 2}",
    "{{a: 1}: 2}",
    "{name: 3}",
    "{name: null}",
    "{name: outcome, extra: 1}",
    "[outcome, 3]",
    "{true: false}",
    "[" * 50 + "]" * 50,
    "[" * 5_000 + "]" * 5_000,
    "{a: " * 400 + "1" + "}" * 400,
)
TAGS = (
    "!!binary abc",
    "!!binary '####'",
    "!!python/object:os.system {}",
    "!!python/object/apply:os.system ['true']",
    "!!set {a}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!int abc",
    "!!float abc",
    "!!bool abc",
    "!!null abc",
    "!!timestamp abc",
    "!!str [a]",
    "!!seq {a: 1}",
    "!!map [a]",
    "!foo bar",
    "!<",
    "*a",
    "&a [*a]",
    "&a {b: *a}",
    "{<<: 3}",
    "{<<: [1]}",
    "{<<: {a: 1}}",
    "=",
    "<<",
    "@a",
    "`a`",
    "%a",
    "'",
    '"',
    "[",
    "}",
    ": :",
    "- a",
    "? a",
    "| a",
    ">",
    "a: b: c",
    "a: 1\nb: 2",
    "\ta",
    "a\x00b",
    "a\x1bb",
    "a\ud800",
    "---",
    "...",
    "--- a\n--- b",
    "# only a comment",
)
YAML_VALUES = (*NUMBERS, *FLOATS, *TEXTS, *KINDS, *NESTS, *TAGS)
"""Values as they stand behind ``key=``."""

JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    3,
    7,
    10**9,
    10**18,
    10**30,
    0.0,
    0.5,
    -1.5,
    1e-300,
    1e300,
    float("nan"),
    float("inf"),
    float("-inf"),
    "",
    " ",
    "a",
    "1",
    "ä 名",
    "a\0b",
    "\x1b[31m",
    "\u2028",
    "../..",
    "x" * 5_000,
    [],
    [None],
    [1],
    ["a"],
    [[]],
    {},
    {"a": 1},
    {"a": {"b": []}},
    [{}],
    list(range(1_000)),
)
"""Values of JSON files."""


TOKENS = (
    "gelu",
    "full_attention",
    ["full_attention", "sliding_attention"],
    "float16",
    "flash_attention_2",
    "eager",
    "linear",
)
FIELDS = (
    *("quantization_config", "auto_map", "dtype", "torch_dtype", "_attn_implementation", "attn_implementation"),
    *(
        "rope_scaling",
        "rope_parameters",
        "rope_theta",
        "text_config",
        "is_encoder_decoder",
        "architectures",
        "model_type",
    ),
    *("tie_word_embeddings", "num_labels", "id2label", "label2id", "problem_type", "use_cache", "output_hidden_states"),
    *("output_attentions", "return_dict", "torchscript", "pruned_heads", "chunk_size_feed_forward", "is_decoder"),
    *(
        "add_cross_attention",
        "layer_types",
        "sliding_window",
        "hidden_act",
        "attention_bias",
        "rms_norm_eps",
        "head_dim",
    ),
    *("num_key_value_heads", "max_position_embeddings", "partial_rotary_factor", "vocab_size", "hidden_size"),
    *(
        "eos_token_id",
        "bos_token_id",
        "pad_token_id",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "suppress_tokens",
    ),
    *(
        "tokenizer_class",
        "model_max_length",
        "padding_side",
        "truncation_side",
        "chat_template",
        "added_tokens_decoder",
    ),
    *("add_bos_token", "eos_token", "pad_token", "unk_token", "additional_special_tokens", "extra_special_tokens"),
    *("normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "truncation", "padding", "added_tokens"),
    *(
        "r",
        "lora_alpha",
        "target_modules",
        "modules_to_save",
        "peft_type",
        "bias",
        "use_dora",
        "rank_pattern",
        "task_type",
    ),
)
"""Fields of the files of models that change what is built or how it is called."""


def bend(value: Any, draw: random.Random, changes: int = 1) -> Any:
    """Return a copy of a JSON value in which something was replaced, left out, doubled, renamed or added."""
    for _ in range(changes):
        value = _bend(value, draw)
    return value


def _bend(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.93:
        return _bend_object(dict(value), draw)
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        match draw.randrange(5):
            case 0:
                return [*value[:place], *value[place + 1 :]]
            case 1:
                return [*value[:place], draw.choice(JSON_VALUES), *value[place:]]
            case 2:
                return [*value, value[place]]
            case _:
                return [*value[:place], _bend(value[place], draw), *value[place + 1 :]]
    return draw.choice(JSON_VALUES)


def _bend_object(value: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    key = draw.choice(list(value))
    match draw.randrange(7):
        case 0:
            del value[key]
        case 1:
            value[key] = draw.choice(JSON_VALUES)
        case 2:
            value[draw.choice(("", "a\0", key + " ", key.upper(), "1"))] = value.pop(key)
        case 3 | 4:
            value[draw.choice(("extra", "name", "type", *FIELDS))] = draw.choice((*JSON_VALUES, *TOKENS))
        case _:
            value[key] = _bend(value[key], draw)
    return value


def bend_bytes(data: bytes, draw: random.Random) -> bytes:
    """Return the bytes with some of them cut off, left out, doubled, changed or put in."""
    place = draw.randrange(len(data) + 1)
    length = draw.choice((1, 2, 8, 100))
    match draw.randrange(7):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + data[place + length :]
        case 2:
            return data[:place] + data[place : place + length] + data[place:]
        case 3:
            return data[:place] + draw.randbytes(length) + data[place + length :]
        case 4:
            return (
                data[:place]
                + draw.choice(
                    (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\x1b[2J", b"\xe2\x80\xa8", b'"', b"{", b"[" * 3_000)
                )
                + data[place:]
            )
        case 5:
            return data.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32", "utf-16-be")))
        case _:
            return bytes(byte ^ (1 << draw.randrange(8)) if index == place else byte for index, byte in enumerate(data))
