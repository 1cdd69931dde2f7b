"""The good things of which bad inputs are made: small models, data of every preset, a finished run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backsight.policies.causal_lm import CausalLMPolicy
from backsight.policies.classifier import ClassifierPolicy
from backsight.policies.config import AdapterConfig
from backsight.policies.seq2seq_lm import Seq2SeqLMPolicy
from backsight.policies.small import END, make_byte_tokenizer, make_small_model

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 1}
LABELS = ("good", "bad")
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)

Rows = list[dict[str, Any]]
ROWS: Mapping[str, Rows] = {
    "sentiment": [{"text": f"film {n}", "label": LABELS[n % 2]} for n in range(12)],
    "translation": [{"source": f"eins {n}", "target": f"one {n}"} for n in range(12)],
    "summarization": [{"document": f"a cat sat {n}. It slept.", "summary": f"a cat {n}"} for n in range(12)],
    "dialogue": [
        {"messages": [{"role": "user", "content": f"hi {n}"}, {"role": "assistant", "content": "hello"}]}
        for n in range(12)
    ],
    "logs": [
        {
            "messages": [
                {"role": "user", "content": f"hi {n}"},
                {"role": "assistant", "content": "hello", "reward": n % 2},
            ]
        }
        for n in range(12)
    ],
    "corrections": [
        {"prompt": f"say {n}", "completion": "no", "correction": f"{n}", "reward": n % 2} for n in range(12)
    ],
}
"""Rows that each preset takes."""

MODELS = ("causal", "classifier", "seq2seq", "adapter")
RUN = (
    "train",
    "sentiment",
    "data=d.jsonl",
    "policy=causal",
    "hindsight=supervised",
    "stop.max_steps=2",
    "save_steps=1",
)
SMALL = ("max_completion_length=2", "eval_items=2", "prompts_per_step=2", "num_generations=2")
"""Settings with which a run takes a second."""


def make_kit(folder: Path) -> Path:
    """Make the models, the data (``NAME.jsonl``) and a run of two steps (``run``) in a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = make_byte_tokenizer(chat_template=TEMPLATE)
    causal = CausalLMPolicy(make_small_model(tokenizer, **SIZES, max_position_embeddings=256), tokenizer)
    causal.save(folder / "causal")
    encoder = make_small_model(
        tokenizer,
        "bert",
        **SIZES,
        max_position_embeddings=256,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    ClassifierPolicy(encoder, tokenizer).save(folder / "classifier")
    ends = make_byte_tokenizer((), f"$A {END}", chat_template=TEMPLATE)
    Seq2SeqLMPolicy(make_small_model(ends, "t5", **T5), ends).save(folder / "seq2seq")
    _make_adapter(folder)
    for name, rows in ROWS.items():
        write_rows(folder / f"{name}.jsonl", rows)
    _make_run(folder)
    return folder


def write_rows(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def copy(kit: Path, *names: str) -> Any:
    """Return a function that copies these things of the kit into a folder."""

    def write(folder: Path) -> None:
        for name in names:
            source, target = kit / name, folder / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)

    return write


def _make_adapter(folder: Path) -> None:
    from backsight.policies.opening import open_policy

    policy = open_policy(str(folder / "causal"), adapter=AdapterConfig(r=2))
    policy.save(folder / "adapter")


def _make_run(folder: Path) -> None:
    from contextlib import chdir, redirect_stdout
    from io import StringIO

    from backsight.cli.main import main

    write_rows(folder / "d.jsonl", ROWS["sentiment"])
    words = sys.argv
    sys.argv = ["backsight", *RUN, *SMALL, "output_dir=.", "run_name=run"]
    try:
        with chdir(folder), redirect_stdout(StringIO()), suppress(SystemExit):
            main()
    finally:
        sys.argv = words


def warm_up(kit: Path) -> None:
    """Import what every command imports, by opening every model, so that each input costs only its own time."""
    import backsight.presets.logs
    import backsight.runs.check
    import backsight.runs.evaluate
    import backsight.runs.finetune  # noqa: F401
    from backsight.policies.opening import open_policy
    from backsight.presets.base import find_preset

    for model in MODELS:
        open_policy(str(kit / model), labels=LABELS)
    for preset in (*ROWS, "instructions", "reasoning-gym:chain_sum"):
        find_preset(preset)


if __name__ == "__main__":
    make_kit(Path(sys.argv[1]))
