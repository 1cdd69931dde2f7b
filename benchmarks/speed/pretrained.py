"""Lay out SmolLM2 for a workload: its own weights and tokens, but other tokens that end a completion.

    python -m benchmarks.speed.pretrained JOB

So lengths are known beforehand: with a token that is never said every completion is as long as the cap, with those that
are said often lengths are nearly geometric. There is no chat template: both libraries read the words of a prompt alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backsight.policies.smollm2 import find
from benchmarks.speed.children import Job, report
from benchmarks.speed.workloads import NEVER_SAID

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
CHANGED = ("config.json", "generation_config.json", "tokenizer_config.json")


def lay_out(source: Path, folder: Path, end_words: tuple[str, ...]) -> None:
    """Make a folder of the model in `source`, whose weights it shares, with these tokens as ends of a completion."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    ends = [_only_token(tokenizer, word) for word in end_words]
    folder.mkdir(parents=True)
    for name in (WEIGHTS, TOKENIZER):
        (folder / name).symlink_to((source / name).resolve())
    for name in CHANGED:
        change = {"eos_token": NEVER_SAID} if name.startswith("tokenizer") else {"eos_token_id": ends}
        (folder / name).write_text(json.dumps(json.loads((source / name).read_text()) | change))


def _only_token(tokenizer: Any, word: str) -> int:
    (token,) = tokenizer(word, add_special_tokens=False).input_ids
    return int(token)


if __name__ == "__main__":
    job = Job.from_arguments()
    lay_out(Path(find()), Path(job.model), job.workload.end_words)
    report({})
