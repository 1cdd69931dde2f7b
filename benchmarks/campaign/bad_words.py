"""Bad words on the command line: commands, options, keys, paths, names, and models that are no models."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign.cases import Case
from benchmarks.campaign.kit import ROWS, SMALL, copy
from benchmarks.campaign.odd_values import YAML_VALUES

COMMANDS = ("train", "evaluate", "compare", "check")
OPTIONS = (
    *("--config", "--dry-run", "--resume", "--against", "--samples", "--splits", "--general-text", "--json", "--plot"),
    *("--methods", "--seeds", "--attempts", "--tokens", "--seconds", "--name", "--what", "-x", "--", "-", "--help=3"),
)
PATHS = (
    *("", " ", "nowhere", "/", ".", "..", "/dev/zero", "/dev/full", "/dev/null", "/proc/self/mem", "/etc/shadow", "~x"),
    *(
        "file",
        "file/inside",
        "folder",
        "loop",
        "pipe",
        "locked",
        "locked/inside",
        "d.jsonl",
        "causal",
        "a.json",
        "a.png",
    ),
    *(
        "x" * 300,
        "x/" * 3_000,
        "ä 名.yaml",
        "a\nb",
        "\x1b[31m",
        "\ud800",
        "-",
        "--",
        "http://127.0.0.1:9/x",
        "s3://a/b",
    ),
)
SHORT = {
    "train": ("stop={max_steps: 1, max_seconds: 10}",),
    "compare": ("--attempts", "2", "--seeds", "1", "--methods", "outcome"),
}
"""Words with which a command soon ends."""
NUMBERS = ("0", "-1", "1", "2", "1.5", "nan", "inf", "9" * 30, "", "abc", "1e3", "٣")


def words(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield words that fit no command, and options with odd values."""
    draw = random.Random(f"words {seed}")
    for number in range(count):
        line = _drawn(draw)
        yield Case("words", f"{number}: {' '.join(line)[:80]}", line, _write(kit))


def _write(kit: Path) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        copy(kit, "d.jsonl", "causal")(folder)
        (folder / "file").write_text("hello\n")
        (folder / "folder").mkdir()
        (folder / "loop").symlink_to("loop")
        (folder / "locked").mkdir(mode=0o500)

    return write


def _drawn(draw: random.Random) -> list[str]:
    command = draw.choice(COMMANDS)
    base = [command, "sentiment", "data=d.jsonl", "policy=causal", *SMALL, *SHORT.get(command, ())]
    match draw.randrange(8):
        case 0:
            return [draw.choice((*COMMANDS, *YAML_VALUES)), *_some(draw)]
        case 1:
            preset = draw.choice((*ROWS, *YAML_VALUES, "reasoning-gym:", "reasoning-gym:x", "a:b"))
            # small and short, because some presets need nothing else to begin
            return [command, preset, *SMALL, *SHORT.get(command, ()), *_some(draw)]
        case 2:
            key = draw.choice(("policy", "data", "eval_data", "ood_data", "output_dir", "run_name", "hindsight"))
            return [*base, f"{key}={draw.choice(PATHS)}"]
        case 3:
            option = draw.choice(("--config", "--resume", "--against", "--general-text", "--json", "--plot", "--name"))
            return [*base, option, draw.choice(PATHS)]
        case 4:
            option = draw.choice(
                ("--samples", "--seeds", "--attempts", "--tokens", "--seconds", "--splits", "--methods")
            )
            return [*base, option, draw.choice((*NUMBERS, *PATHS))]
        case 5:
            return ["train", "--resume", draw.choice(PATHS), *_some(draw)]
        case 6:
            return [*base, draw.choice(_odd_settings(draw))]
        case _:
            return [*base, *_some(draw)]


def _some(draw: random.Random) -> list[str]:
    """Return up to three words that nobody asked for."""
    pool = (*OPTIONS, *PATHS, "seed=1", "policy=causal")
    return [draw.choice(pool) for _ in range(draw.randrange(4))]


def _odd_settings(draw: random.Random) -> tuple[str, ...]:
    key = draw.choice(
        ("seed", "stop", "stop.max_steps", "a", "", "a.b.c", "policy.x", "hindsight.", ".", "..", "__class__")
    )
    value = draw.choice(YAML_VALUES)
    return (
        key,
        f"{key}={value}",
        f"={value}",
        f"{key}=={value}",
        f"{key} = {value}",
        f"{key}:{value}",
        "." * 3_000 + "=1",
    )
