"""Bad settings: every key with odd values, in words and in files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from backsight.config import RunConfig, dump_config
from backsight.hindsight.catalogue import METHODS
from backsight.presets.base import find_preset
from backsight.settings import known_keys
from benchmarks.campaign.cases import Case
from benchmarks.campaign.kit import SMALL, copy
from benchmarks.campaign.odd_values import YAML_VALUES, bend_bytes

KNOWN_BAD = (
    "learning_rate=1e38",
    "learning_rate=1e30",
    "weight_decay=1e30",
    "temperature=1e-300",
    "temperature=1e300",
    "max_grad_norm=1e-300",
    "beta=1e300",
    "entropy_coef=1e300",
    "critic_learning_rate=1e38",
    "seed=-1",
    "seed=" + "9" * 40,
    "num_generations=" + "9" * 18,
    "prompts_per_step=" + "9" * 18,
    "prompts_per_step=" + "9" * 40,
    "max_completion_length=" + "9" * 18,
    "mini_batches=" + "9" * 30,
    "eval_items=" + "9" * 30,
    "reward_timeout=1e300",
    "adapter={r: 1000000000000}",
)
"""Settings with which no run can be right."""
CHECKED = ("train", "sentiment", "data=d.jsonl", "policy=causal", "output_dir=out", *SMALL)


def settings(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield settings × values: most are looked at only (--dry-run), some of each hundred are run."""
    draw = random.Random(f"settings {seed}")
    keys = list(known_keys(RunConfig))
    data = copy(kit, "d.jsonl", "causal")
    for word in KNOWN_BAD:
        yield Case("settings", word[:60], [*CHECKED, "stop.max_steps=1", word], data, is_fine=False)
    for number in range(count - len(KNOWN_BAD)):
        words = _spell(draw, draw.choice(keys), draw.choice(YAML_VALUES))
        if draw.random() < 0.1:
            words += _spell(draw, draw.choice(keys), draw.choice(YAML_VALUES))
        name = " ".join(words)[:80]
        if number % 12 == 0:
            yield Case("settings", f"run {name}", [*CHECKED, *_ends(words), *words], data)
        else:
            preset = draw.choice(("sentiment", "logs", "instructions", "reasoning-gym:chain_sum"))
            yield Case("settings", name, ["train", preset, *words, "--dry-run"])


def _ends(words: list[str]) -> list[str]:
    """Return a stop condition, if the words set none."""
    return [] if any(word.startswith("stop") for word in words) else ["stop={max_steps: 1, max_seconds: 20}"]


def _spell(draw: random.Random, key: str, value: str) -> list[str]:
    """Write a setting as words; an option of a method comes with a method that has it."""
    group, _, option = key.partition(".")
    if group != "hindsight" or not option:
        return [f"{key}={value}"]
    owners = [name for name in METHODS.names() if option.split(".")[0] in METHODS.find(name).model_fields]
    return [f"hindsight={draw.choice(owners)}", f"{key}={value}"] if owners else [f"{key}={value}"]


def yaml_files(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield settings files that are damaged, of another format, or hold odd values."""
    draw = random.Random(f"yaml {seed}")
    keys = [key for key in known_keys(RunConfig) if not key.startswith("hindsight.")]
    for name, data in _known_files():
        yield _file(name, data)
    whole = dump_config(find_preset("sentiment").config).encode()
    for number in range(count):
        if number % 2:
            lines = [f"{draw.choice(keys)}: {draw.choice(YAML_VALUES)}" for _ in range(draw.choice((1, 1, 2, 3)))]
            yield _file(f"{number}: {lines[0][:60]}", "\n".join(lines).encode("utf-8", "surrogatepass"))
        else:
            yield _file(f"{number}: bytes", bend_bytes(whole, draw))


def _known_files() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "comment", b"# nothing\n"
    yield "list", b"- a\n- b\n"
    yield "number", b"3\n"
    yield "NUL", b"seed: 1\0\n"
    yield "tabs", b"stop:\n\tmax_steps: 1\n"
    yield "UTF-16", "seed: 1\n".encode("utf-16")
    yield "Latin-1", "run_name: M\xfcller\n".encode("latin-1")
    yield "random bytes", bytes(range(256)) * 10
    yield "deep list", b"seed: " + b"[" * 20_000
    yield "deep map", b"a: {" * 5_000
    yield "date", b"seed: 2024-13-45\n"
    yield "unhashable key", b"? [a, b]\n: 1\n"
    yield "tag", b"seed: !!python/object/apply:os.system ['true']\n"
    yield "merge", b"<<: 3\nseed: 1\n"
    yield "itself", b"&a\nseed: *a\n"
    yield "two documents", b"seed: 1\n---\nseed: 2\n"
    yield "number keys", b"1: 2\n"
    yield "null key", b"null: 2\n"
    yield "bool key", b"yes: 2\n"
    yield "huge number", b"seed: 1" + b"0" * 6_000 + b"\n"
    yield "huge word", b"a" * 1_000_000 + b": 1\n"
    yield "HTML", b"<!DOCTYPE html><html><body>Not found</body></html>\n"
    yield "JSON lines", b'{"seed": 1}\n{"seed": 2}\n'


def _file(name: str, data: bytes) -> Case:
    def write(folder: Path) -> None:
        (folder / "s.yaml").write_bytes(data)

    return Case("yaml", name, ["train", "sentiment", "--config", "s.yaml", "--dry-run"], write)
