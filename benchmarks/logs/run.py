"""Learning from logs of real conversations.

    python benchmarks/logs/run.py              half an hour on one busy thread
    python benchmarks/logs/run.py --quick      tiny budgets, one seed; no results are written

The logs are orders at a coffee bar (Taskmaster-4); their last turn was said by some model, and people gave it 0
or 1. A small base model is made from nothing and learns from demonstrations of the same domain; then
`backsight train logs` goes on with the method `recorded` and, as the control, with `supervised`, which says again
whatever was said, on the same turns. On turns of conversations that were held back, and on another domain (movie
tickets, Taskmaster-3, never trained on), it prints the log-probability per token of rewarded and of unrewarded turns
before and after, and how often, of a pair of both, the rewarded one gained more. The results are written to
``benchmarks/results/logs.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import gzip
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

import backsight
from backsight.errors import BacksightError
from backsight.evaluation.likelihood import compare_likelihoods, compare_likelihoods_over_seeds, turn_log_probs
from backsight.policies.causal_lm import CausalLMPolicy
from backsight.runs.finetune import Result
from backsight.seeds import derive_seed
from backsight.tasks.conversations import ConversationsTask
from benchmarks.shared.base_model import make_base_model, train_tokenizer
from benchmarks.shared.places import DATA
from benchmarks.shared.results import Figure, write_results

ROLES = {"user": "user", "agent": "assistant", "api": "tool"}
KEPT_TURNS = 6
"""How many of the turns before a turn the model sees."""
KEPT_CHARACTERS = 160
"""How much it sees of each: what the tools answer is long."""
HELD_BACK = 5
"""One conversation in so many is for evaluation."""
METHODS = ("recorded", "supervised")
SPLITS = ("test", "ood")

Turn = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a rehearsal with tiny budgets; nothing is written")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data")
    arguments = parser.parse_args()
    disable_progress_bar()  # of transformers, for every folder that is read or written
    seeds = [0] if arguments.quick else [0, 1, 2]
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(arguments.data / "dialogue", Path(folder), seeds, is_quick=arguments.quick)
    except BacksightError as error:
        sys.exit(str(error))
    if not arguments.quick:
        print(write_results("logs", seeds, figures))


def measure(source: Path, folder: Path, seeds: Sequence[int], *, is_quick: bool) -> list[Figure]:
    """Go the whole way, from data to figures."""
    coffee, movies = source / "taskmaster4_coffee", source / "taskmaster3_movies"
    demonstrations = write(folder / "demonstrations.jsonl", cut_demonstrations(read(coffee / "train.jsonl.gz")))
    rows = list(read(coffee / "human_reward.jsonl.gz"))
    logs = write(folder / "conversations.jsonl", cut_rewarded(row for row in rows if not is_held_back(row)))
    test = write(folder / "test.jsonl", cut_rewarded(row for row in rows if is_held_back(row)))
    ood = write(folder / "ood.jsonl", cut_rewarded(read(movies / "human_reward_test.jsonl.gz")))
    settings: dict[str, Any] = {"output_dir": str(folder / "runs"), "max_completion_length": 64}
    settings |= {"eval_items": 20, "show_progress": False}
    task = ConversationsTask(logs, test=test, ood=ood)
    print(f"{len(task.items('train'))} turns to learn from, {len(task.items('test'))} held back", flush=True)

    untrained = make_model(ConversationsTask(demonstrations), folder / "untrained")
    steps, further_steps = (10, 3) if is_quick else (300, 60)
    base = backsight.finetune(
        str(untrained),
        "logs",
        hindsight="supervised",
        data=demonstrations,
        learning_rate=1e-3,
        lr_scheduler_type="cosine",
        stop={"max_steps": steps},
        **settings,
    )
    before = {split: turn_log_probs(base.policy, task.items(split)) for split in SPLITS}
    figures = []
    for method in METHODS:
        runs = [
            backsight.finetune(
                str(base.folder / "policy"),
                "logs",
                hindsight=method,
                data=logs,
                eval_data=test,
                learning_rate=1e-4,
                seed=seed,
                stop={"max_steps": further_steps},
                **settings,
            )
            for seed in seeds
        ]
        for split in SPLITS:
            figures += compare_turns(task, split, method, runs, before[split])
    return figures


def compare_turns(
    task: ConversationsTask, split: str, method: str, runs: Sequence[Result], before: Sequence[float]
) -> list[Figure]:
    """Compare how likely turns are before and after, as means over seeds: intervals allow for other seeds and turns."""
    items = task.items(split)
    after = [turn_log_probs(run.policy, items) for run in runs]
    was, now = compare_likelihoods(items, before, before), compare_likelihoods_over_seeds(items, after, before)
    name, unit = f"{split}: {method}", "nats a token"
    figures = [
        Figure.of_estimate(f"{name}, rewarded turns, before", was.rewarded, unit),
        Figure.of_estimate(f"{name}, rewarded turns, after", now.rewarded, unit),
        Figure.of_estimate(f"{name}, unrewarded turns, before", was.unrewarded, unit),
        Figure.of_estimate(f"{name}, unrewarded turns, after", now.unrewarded, unit),
        Figure.of_estimate(f"{name}, pairs in which the rewarded turn gained more", now.accuracy, "share"),
    ]
    for each in figures:
        assert each.interval is not None
        low, high = each.interval
        print(f"  {each.row}: {each.value:.3f} [{low:.3f}, {high:.3f}] {each.unit}", flush=True)
    if (split, method) == ("test", "recorded"):
        figures[-1] = replace(figures[-1], aim="> 0.5", holds=now.accuracy.low > 0.5)
    return figures


def make_model(task: ConversationsTask, folder: Path) -> Path:
    """Save a small Llama that has learnt nothing, with a tokenizer of the domain."""
    torch.manual_seed(0)
    tokenizer = train_tokenizer([f"{item.prompt}{item.target}" for item in task.items("train")])
    CausalLMPolicy(make_base_model(tokenizer, context=1024), tokenizer).save(folder)
    return folder


def read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def write(path: Path, conversations: Iterable[Sequence[Turn]]) -> str:
    path.write_text("".join(json.dumps({"messages": each}) + "\n" for each in conversations), encoding="utf-8")
    return str(path)


def is_held_back(row: dict[str, Any]) -> bool:
    """Whether a row is for evaluation: all rows of one conversation are, or none."""
    return opening_number(row) % HELD_BACK == 0


def opening_number(row: dict[str, Any]) -> int:
    """Return a number that rows of one conversation share, which the user's first turn gives."""
    opening = next((turn["text"] for turn in row["context"] if turn["role"] == "user"), "")
    return derive_seed("held back", opening)


def cut_rewarded(rows: Iterable[dict[str, Any]]) -> Iterator[list[Turn]]:
    """Cut out the turn that people rewarded, behind what was said before it."""
    for row in rows:
        context = [make_message(turn) for turn in row["context"]]
        yield shorten(context) + [make_message(row["generation"]) | {"reward": row["reward"]}]


def cut_demonstrations(rows: Iterable[dict[str, Any]]) -> Iterator[list[Turn]]:
    """Cut out every turn of the assistant, as one to imitate."""
    for row in rows:
        messages = [make_message(turn) for turn in row["turns"]]
        for index, each in enumerate(messages):
            if each["role"] == "assistant":
                yield shorten(messages[:index]) + [{**each, "reward": 1}]


def shorten(messages: Sequence[Turn]) -> list[Turn]:
    """Keep the beginnings of the last turns."""
    return [{**each, "content": each["content"][:KEPT_CHARACTERS]} for each in messages[-KEPT_TURNS:]]


def make_message(turn: Turn) -> dict[str, Any]:
    """Write what somebody said, or the call of a tool, or its answer, as a message."""
    said = turn.get("text") or json.dumps(turn.get("api", turn.get("response")), ensure_ascii=False)
    return {"role": ROLES[turn["role"]], "content": said}


if __name__ == "__main__":
    main()
