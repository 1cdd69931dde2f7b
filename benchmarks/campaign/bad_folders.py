"""Damaged run folders: what a run is resumed from, with files cut, bent, missing, swapped or of another kind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign.cases import Case
from benchmarks.campaign.kit import copy
from benchmarks.campaign.odd_values import bend, bend_bytes


def folders(kit: Path, seed: int, count: int) -> Iterator[Case]:
    """Yield run folders in which one file is damaged, to be resumed or evaluated."""
    draw = random.Random(f"folders {seed}")
    files = sorted(str(path.relative_to(kit)) for path in (kit / "run").rglob("*") if path.is_file())
    for number in range(count):
        name = draw.choice(files)
        kind = draw.choice(("bytes", "bytes", "bent", "empty", "missing", "folder", "link"))
        seed_of_damage = draw.random()
        evaluates = "policy/" in name and draw.random() < 0.7
        words = ["evaluate", "sentiment", "data=d.jsonl", "policy=run", "eval_items=2", "max_completion_length=2"]
        words = words if evaluates else ["train", "--resume", "run", "stop.max_steps=3"]
        yield Case("folders", f"{number}: {name} {kind}", words, _write(kit, name, kind, seed_of_damage))


def _write(kit: Path, name: str, kind: str, seed: float) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        copy(kit, "d.jsonl", "causal", "run")(folder)
        path, draw = folder / name, random.Random(seed)
        content = path.read_bytes()
        path.unlink()
        if kind == "bytes":
            path.write_bytes(bend_bytes(content, draw))
        elif kind == "bent":
            path.write_bytes(_bend_text(content, draw))
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(path.name)

    return write


def _bend_text(content: bytes, draw: random.Random) -> bytes:
    """Bend a file of JSON, or one of its lines; bend the bytes of any other."""
    lines = content.split(b"\n")
    place = draw.randrange(len(lines))
    try:
        if len(lines) <= 2:
            return json.dumps(bend(json.loads(content), draw)).encode()
        lines[place] = json.dumps(bend(json.loads(lines[place]), draw)).encode()
        return b"\n".join(lines)
    except ValueError:
        return bend_bytes(content, draw)
