"""Run folders that nobody trained: of any size, for the tests and the timing of the page."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backsight.reports.packed_lines import PackedFolder
from backsight.reports.run_folder import ANSWERS, CONFIG, EVALUATIONS, MESSAGES, METRICS, TRACES, TRAJECTORIES

SIBLINGS = 8
PHASES = ("prefill", "decode", "look_back", "forward", "backward", "optimizer", "other")
SUBJECTS = ("the cat", "a quiet river", "our neighbour", "the last train", "a red lamp", "some old map", "the baker")
VERBS = ("waits by", "remembers", "has not seen", "walks past", "sings about", "is older than", "sells")
PLACES = ("the harbour", "a narrow street", "the winter garden", "three bridges", "the market", "an empty stage")
SPLITS = ("in_domain", "out_of_domain")

Row = Mapping[str, Any]


def make_run(
    folder: Path, num_steps: int = 12, num_groups: int = 4, traced_every: int = 4, longest: int = 3, seed: int = 0
) -> Path:
    """Write a run folder with `num_steps` · `num_groups` · 8 attempts of up to `longest` sentences, and return it."""
    draw = random.Random(seed)
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text("preset: instructions\npolicy: smollm2\nhindsight:\n  name: relabel\nseed: 0\n")
    _write(folder / METRICS, (_metrics(step, num_steps, draw) for step in range(1, num_steps + 1)))
    steps = range(1, num_steps + 1)
    groups = ((step, group, _skill(step, num_steps)) for step in steps for group in range(num_groups))
    _write(folder / TRAJECTORIES, (row for place in groups for row in _attempts(*place, longest, draw)))
    _write(folder / EVALUATIONS, (row for step in (0, num_steps) for row in _evaluations(step, num_steps)))
    ending = f"stopped: max_steps={num_steps} reached"
    _write(
        folder / MESSAGES, [{"step": 2, "message": "adapter=auto: all weights are trained"}, _said(num_steps, ending)]
    )
    for step in range(1, num_steps + 1, traced_every):
        rows = [row for attempt in range(SIBLINGS) for row in _traces(step, attempt, draw)]
        PackedFolder(folder / TRACES).write(step, rows)
    for step in (0, num_steps):
        PackedFolder(folder / ANSWERS).write(step, _answers(step, num_steps, seed))
    return folder


def append_rows(path: Path, rows: Iterator[Row] | list[Row]) -> None:
    """Write rows behind those of a file, as a run that goes on does."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def attempt_row(step: int, group: int, attempt: int, completion: str | None, **change: Any) -> dict[str, Any]:
    """Return the line of an attempt of one turn."""
    held = {"step": step, "group": group, "attempt": attempt, "turn": 0, "prompt": "Say something.", "rewards": {}}
    counts = {"reward": 0.0, "success": False, "advantage": 0.0, "num_tokens": 5, "cut_off": False}
    return {**held, "completion": completion, **counts, **change}


def _write(path: Path, rows: Iterator[Row] | list[Row]) -> None:
    path.write_text("")
    append_rows(path, rows)


def _said(step: int, message: str) -> Row:
    return {"step": step, "message": message}


def _skill(step: int, num_steps: int) -> float:
    return 0.1 + 0.75 / (1 + math.exp(6 - 12 * step / max(1, num_steps)))


def _metrics(step: int, num_steps: int, draw: random.Random) -> Row:
    skill = _skill(step, num_steps)
    times = {f"time/{phase}": 0.1 + draw.random() * (1 + 0.3 * place) for place, phase in enumerate(PHASES)}
    return {
        "step": step,
        "reward": skill + draw.gauss(0, 0.04),
        "reward_std": 0.3 - 0.2 * skill,
        "rewards/success/mean": skill + draw.gauss(0, 0.03),
        "rewards/length/mean": 0.5 + 0.3 * skill,
        "success": skill + draw.gauss(0, 0.03),
        "frac_reward_zero_std": 0.8 - 0.6 * skill + draw.gauss(0, 0.03),
        "frac_examples_with_signal": 0.2 + 0.5 * skill,
        "clip_ratio/region_mean": 0.02 + 0.02 * draw.random(),
        "completions/mean_length": 24 - 8 * skill + draw.gauss(0, 0.6),
        "completions/clipped_ratio": 0.2 - 0.15 * skill,
        "entropy": 2.2 - 1.1 * skill + draw.gauss(0, 0.05),
        "kl": 0.08 * step / num_steps + 0.004 * draw.random(),
        "grad_norm": 1 + draw.random(),
        "memory/peak_gib": 1.4 + 0.1 * draw.random(),
        "step_time": sum(times.values()),
        **times,
    }


def _sentence(draw: random.Random) -> str:
    return f"{draw.choice(SUBJECTS)} {draw.choice(VERBS)} {draw.choice(PLACES)}".capitalize() + "."


def _prompt(draw: random.Random) -> str:
    count, place, letter = draw.choice(("two", "three", "four")), draw.choice(PLACES), draw.choice("aeiou")
    return f"Write {count} sentences about {place}, without the letter {letter}."


def _attempts(step: int, group: int, skill: float, longest: int, draw: random.Random) -> Iterator[Row]:
    prompt, is_silent = _prompt(draw), draw.random() < 0.4
    rewards = [0.0 if is_silent else float(draw.random() < skill) for _ in range(SIBLINGS)]
    mean = sum(rewards) / SIBLINGS
    for attempt, reward in enumerate(rewards):
        said = " ".join(_sentence(draw) for _ in range(1 + draw.randrange(longest)))
        yield attempt_row(
            step,
            group,
            attempt,
            said,
            prompt=prompt,
            rewards={"success": reward, "length": round(draw.random(), 3)},
            reward=reward,
            success=bool(reward),
            advantage=reward - mean,
            num_tokens=len(said) // 4,
            cut_off=draw.random() < 0.05,
        )


def _evaluations(step: int, num_steps: int) -> Iterator[Row]:
    for place, split in enumerate(SPLITS):
        mean = _skill(step, num_steps) - 0.1 * place
        scores = {"mean": mean, "low": max(0.0, mean - 0.05), "high": mean + 0.05, "count": 40}
        yield {"step": step, "split": split, "scores": {"reward": scores, "success": scores}}


def _traces(step: int, attempt: int, draw: random.Random) -> Iterator[Row]:
    said = _sentence(draw)
    yield trace_row(step, attempt, said, draw)
    if attempt % 2:
        asked = "Write one sentence about the harbour."
        yield trace_row(step, attempt, said, draw) | {
            "method": "relabel",
            "places": ["prompt"],
            "asked": [asked],
            "prompts": ["Write one sentence about the market."],
            "behaviour": None,
            "imitation": [1.0] * len(pieces_of(said)),
        }


def pieces_of(text: str) -> list[str]:
    """Return the words of a text as if they were tokens, each with the space before it."""
    first, *others = text.split(" ")
    return [first, *(f" {each}" for each in others)]


def trace_row(step: int, attempt: int, said: str, draw: random.Random) -> dict[str, Any]:
    """Return a traced row of one turn, with made-up numbers."""
    pieces = pieces_of(said)
    count = len(pieces)
    push = [round(draw.gauss(0, 0.2), 4) for _ in pieces]
    push[0] = 0.0
    return {
        "group": 0,
        "attempt": attempt,
        "method": "outcome",
        "places": ["none"],
        "prompts": ["Write one sentence about the harbour."],
        "asked": None,
        "said": None,
        "told": ["Write one sentence about the harbour. You were told: leave the cat out."] if attempt == 0 else None,
        "turns": [count],
        "cut_off": attempt == 3,
        "feedback": {"reward": 0.5, "text": "Leave the cat out. Say more.", "sources": ["judge"]},
        "responses": [list(range(count))],
        "pieces": pieces,
        "weight": 1.0,
        "advantage": [0.5 - 0.25 * (attempt % 4)] * count,
        "imitation": None,
        "teaching": None,
        "behaviour": [-1.5] * count,
        "log_prob": [-1.5 + round(draw.random(), 3) for _ in pieces],
        "last": [-1.2] * count,
        "push": push,
        "entropy": [round(3 * draw.random(), 3) for _ in pieces],
        "teacher": [-1.0] * count,
        "reference": [-1.6] * count,
        "alternatives": [[[piece, -0.7], [" somebody", -1.4], [" nothing", -2.9]] for piece in pieces],
    }


def _answers(step: int, num_steps: int, seed: int) -> Iterator[Row]:
    draw, asked = random.Random(f"{seed} {step}"), random.Random(seed)
    for split in SPLITS:
        for item in range(20):
            said = _sentence(draw)
            yield {
                "split": split,
                "item": f"item-{item}",
                "attempt": 0,
                "prompts": [_prompt(asked)],
                "completions": [said],
                "reward": float(draw.random() < _skill(step, num_steps)),
                "rewards": {},
                "feedback": {},
                "num_tokens": len(said) // 4,
                "cut_off": False,
            }
