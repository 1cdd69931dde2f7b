"""Fixed short runs, each as the hash of its final weights, its metrics and its evaluations.

    python benchmarks/fingerprints/run.py                compare this checkout with the hashes beside this file
    python benchmarks/fingerprints/run.py --write        write them anew
    python benchmarks/fingerprints/run.py resumed hir    only these runs

A refactoring must not change them. Hashes agree on one machine with one build of torch: write them before the first
change, compare after the last one. A minute and a half on one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from classic import RUNS as CLASSIC
from classic import train_module
from inputs import make_data, make_models
from safetensors.torch import load_file

from backsight.cli.main import app

HASHES = Path(__file__).with_name("hashes.json")
TIMED = ("step_time", "time/", "tokens_per_second/", "memory/", "matrix_rate/")
"""Metrics that differ from run to run."""

FIXED = "seed=3 num_generations=4 prompts_per_step=6 stop.max_steps=3 eval_items=4 lr_scheduler_type=constant"
SMALL = f"{FIXED} warmup_steps=0"
PASSES = "mini_batches=2 num_iterations=2 learning_rate=1e-3"
TOLD = "teacher.check_steps=2"
INSTRUCTIONS = f"instructions policy=pocket {SMALL}"
SENTIMENT = f"sentiment policy=pocket {SMALL} prompts_per_step=8 num_generations=6 temperature=2.0"
DIALOGUE = f"dialogue policy=pocket {SMALL} max_completion_length=8"
ALGORITHMS = ("reinforce", "rloo", "grpo", "dr_grpo", "dapo", "gspo", "cispo", "sapo", "ppo")
LOSSES = ("pg", "clip", "dual_clip", "tis")

RUNS: dict[str, str] = {
    "instructions": INSTRUCTIONS,
    "sentiment": SENTIMENT,
    "translation": f"translation policy=pocket {SMALL}",
    "summarization": f"summarization policy=pocket {SMALL}",
    "dialogue": DIALOGUE,
    **{f"algorithm {name}": f"{SENTIMENT} hindsight=outcome algorithm={name} {PASSES}" for name in ALGORITHMS},
    **{f"loss {name}": f"{SENTIMENT} hindsight=outcome loss_type={name} {PASSES}" for name in LOSSES},
    "beta, entropy, smoothing": f"{SENTIMENT} beta=0.1 entropy_coef=0.01 label_smoothing_factor=0.1",
    "bf16": f"{SENTIMENT} bf16=true",
    "one step off": f"{SENTIMENT} max_staleness=1 loss_type=tis",
    "lora": f"{SENTIMENT} adapter=lora beta=0.1 learning_rate=1e-2",
    "truncated sampling": f"{SENTIMENT} top_k=20 top_p=0.9 min_p=0.01",
    "rescore": f"{SENTIMENT} hindsight=rescore hindsight.reward=correct",
    "rudder": f"{SENTIMENT} hindsight=rudder hindsight.first_lessons=8",
    "shaping": f"{DIALOGUE} hindsight=shaping algorithm=reinforce",
    "rudder in turns": f"{DIALOGUE} hindsight=rudder hindsight.first_lessons=8 algorithm=reinforce",
    "relabel by hir": f"{INSTRUCTIONS} hindsight=relabel hindsight.selection=hir hindsight.reinforce_replays=true "
    "hindsight.correction_cap=2.0 hindsight.max_replays=2",
    "hir": f"{INSTRUCTIONS} hindsight=hir",
    "condition": f"{SENTIMENT} hindsight=condition beta=0.05",
    "chain_of_hindsight": f"{SENTIMENT} hindsight=chain_of_hindsight",
    "revise rationalise": f"{SENTIMENT} hindsight=revise hindsight.mode=rationalise",
    "revise feedback": f"{SENTIMENT} hindsight=revise hindsight.mode=feedback hindsight.max_revisions=2",
    "revise critique": f"{SENTIMENT} hindsight=revise hindsight.mode=critique algorithm=dr_grpo",
    "gold_anchor": f"{INSTRUCTIONS} hindsight=gold_anchor hindsight.shaping=0.1",
    "gold_anchor with ppo": f"{INSTRUCTIONS} hindsight=gold_anchor algorithm=ppo",
    "supervised": f"{SENTIMENT} hindsight=supervised",
    "hcapo": f"{DIALOGUE} hindsight=hcapo hindsight.smoothing=true",
    "graph_hca": f"{DIALOGUE} hindsight=graph_hca hindsight.episode_weight=0.5",
    "gigpo": f"{DIALOGUE} hindsight=gigpo",
    "hgpo": f"{DIALOGUE} hindsight=hgpo",
    "opd": f"{SENTIMENT} hindsight=opd {TOLD}",
    "rlsd": f"{SENTIMENT} hindsight=rlsd {TOLD}",
    "rlcsd": f"{SENTIMENT} hindsight=rlcsd {TOLD}",
    "vine": f"{SENTIMENT} hindsight=vine hindsight.num_samples=2 hindsight.segment_length=2",
    "best_of_n": f"{SENTIMENT} hindsight=best_of_n hindsight.keep=2",
    "preference": f"{SENTIMENT} hindsight=preference",
    "self_distill": f"{SENTIMENT} hindsight=self_distill {TOLD} teacher.update=ema",
    "self_distill trusted": f"{SENTIMENT} hindsight=self_distill teacher.check_steps=0",
    "self_distill less likely": f"{SENTIMENT} hindsight=self_distill hindsight.where=less_likely teacher.check_steps=0 "
    "hindsight.outcome_weight=1.0 teacher.alpha=0.5 teacher.update=trust_region",
    "srpo": f"{SENTIMENT} hindsight=srpo {TOLD}",
    "route": f"{SENTIMENT} 'hindsight={{name: route, then: outcome, otherwise: relabel}}'",
    "chain": f"{SENTIMENT} 'hindsight=[{{name: rescore, reward: correct}}, relabel, gold_anchor]'",
    "t5 supervised": f"translation policy=models/t5 data=data/translation.jsonl {SMALL} hindsight=supervised "
    "learning_rate=1e-3",
    "t5 gold_anchor": f"translation policy=models/t5 data=data/translation.jsonl {SMALL} max_completion_length=8",
    "bert outcome": f"sentiment policy=models/bert data=data/sentiment.jsonl {SMALL} hindsight=outcome "
    "learning_rate=1e-3",
    "bert gold_anchor": f"sentiment policy=models/bert data=data/sentiment.jsonl {SMALL} algorithm=ppo",
    "llama summarization": f"summarization policy=models/llama data=data/summarization.jsonl {SMALL} "
    "max_completion_length=8",
    "llama dialogue": f"dialogue policy=models/llama data=data/dialogue.jsonl {SMALL} max_completion_length=8",
    "logs": f"logs policy=models/llama data=data/logs.jsonl {SMALL} max_completion_length=8",
    "logs with a teacher": f"logs policy=models/llama data=data/logs.jsonl {SMALL} hindsight.distill_weight=1.0",
    "resumed": f"{SENTIMENT} hindsight=[relabel,self_distill] teacher.update=ema save_steps=1 stop.max_steps=2",
}
RESUMED = {"resumed": "stop.max_steps=4"}
"""How these runs go on once they have ended."""

Hashes = Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare fixed short runs with the hashes of an earlier checkout.")
    parser.add_argument("names", nargs="*", help="only these runs")
    parser.add_argument("--write", action="store_true", help="write the hashes of this checkout")
    arguments = parser.parse_args()
    known: dict[str, Hashes] = json.loads(HASHES.read_text()) if HASHES.exists() else {}
    torch.set_num_threads(1)
    here = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        make_models(Path("models"))
        make_data(Path("data"))
        found = {name: hashes_of(name) for name in arguments.names or [*RUNS, *CLASSIC]}
        os.chdir(here)
    if arguments.write:
        HASHES.write_text(json.dumps({**known, **found}, indent=1) + "\n")
        print(f"written: {HASHES}")
        return
    different = [name for name, hashes in found.items() if known.get(name) != hashes]
    for name in different:
        print(f"{name}: was {known.get(name)}, is {found[name]}")
    print(f"{len(found) - len(different)} of {len(found)} runs are equal to the bit")
    sys.exit(bool(different))


def hashes_of(name: str) -> Hashes:
    """Do a run and hash what it leaves; a run that fails is its error."""
    try:
        if name in CLASSIC:
            weights, returns = train_module(name)
            return {"weights": hash_tensors(weights), "returns": hash_text(returns)}
        return hashes_of_run(name)
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def hashes_of_run(name: str) -> Hashes:
    slug = name.replace(" ", "-").replace(",", "")
    call(["train", *shlex.split(RUNS[name]), f"run_name={slug}"])
    if name in RESUMED:
        call(["train", RESUMED[name], "--resume", f"runs/{slug}"])
    folder = Path("runs") / slug
    weights = {
        f"{path.name}/{key}": value
        for path in sorted((folder / "policy").glob("*.safetensors"))
        for key, value in load_file(path).items()
    }
    metrics = [
        {key: value for key, value in json.loads(line).items() if not key.startswith(TIMED)}
        for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    evaluations = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    return {"weights": hash_tensors(weights), "metrics": hash_text(metrics), "evaluations": hash_text(evaluations)}


def call(words: list[str]) -> None:
    """Run the command line, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        app(words, standalone_mode=False)


def hash_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def hash_text(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
