"""One rank of `ranks.py`: it trains three steps, writes down what they took, and three more from gold answers."""

from __future__ import annotations

import json
import os
import sys
import zlib
from pathlib import Path
from typing import Any

import backsight
from backsight.distributed.ranks import connect
from backsight.profiling import peak_memory
from backsight.reports.run_folder import METRICS, read_rows

SETTINGS: dict[str, Any] = {
    "hindsight": "outcome",
    "learning_rate": 1e-5,
    "prompts_per_step": 4,
    "num_generations": 4,
    "max_completion_length": 16,
    "micro_batch_size": 256,
    "prompt_format": "plain",
    "trace": "off",
    "stop": {"max_steps": 3},
}
PROMPTS = [
    {"prompt": f"Question {number}: name something that has {number} parts.", "target": f" A set of {number} cups."}
    for number in range(2, 42)
]


SAMPLED, TAUGHT = "sampled", "taught"
"""Names of the runs: from attempts, and from gold answers, which rounding cannot change."""


def judge(completions: list[str], **columns: Any) -> list[float]:
    """Find some answers better than others, so that there is something to learn."""
    return [zlib.crc32(each.encode()) % 8 / 8 for each in completions]


def main(policy: str, folder: Path) -> None:
    ranks = connect()
    settings = {**SETTINGS, "output_dir": str(folder), "show_progress": False}
    backsight.finetune(policy, PROMPTS, reward_funcs=judge, run_name=SAMPLED, **settings)
    times = [row["step_time"] for row in read_rows(folder / SAMPLED / METRICS)]
    report = {"step_times": times, "peak_gib": peak_memory(), "learning_rate": SETTINGS["learning_rate"]}
    backsight.finetune(policy, PROMPTS, run_name=TAUGHT, **{**settings, "hindsight": "supervised"})
    (folder / f"rank-{ranks.rank}.json").write_text(json.dumps(report))
    ranks.close()
    os._exit(0)  # as the command line ends: torch's threads may abort a process that winds down


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
