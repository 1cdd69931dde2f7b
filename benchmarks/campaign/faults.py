"""Faults of disks, consoles and checkpoints, and several processes at once: each is said, and nothing is lost."""

from __future__ import annotations

import ctypes
import os
import random
import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.campaign.kills import Outcome
from benchmarks.campaign.kinds import KINDS
from benchmarks.campaign.processes import Setup, at_each_write, killing_itself, start
from benchmarks.campaign.straight import Straight, run_straight

KIND, COMPARISON = "decoder-only", "comparison"
CAPABILITIES, MAY_WRITE_ANYWAY = 0x20080522, 1
"""Version of the interface, and number of what lets root write where nobody may; see capabilities(7)."""
FULL, READ_ONLY, GONE = "File too large", "Permission denied", "is gone"
ROUNDS, QUICK_ROUNDS = 12, 2


class _Place:
    """Folders for the runs of a part, each beside an uninterrupted run to compare with."""

    def __init__(self, kit: Path, place: Path, kind: str = KIND) -> None:
        self.kit, self.place, self.kind, self.count = kit, place, kind, 0
        self.straight: Straight = run_straight(kind, kit, self.folder())

    def folder(self) -> Path:
        self.count += 1
        folder = self.place / f"{self.kind}-{self.count}" / "run"
        folder.parent.mkdir(parents=True)
        return folder

    def begin(self, folder: Path) -> None:
        """Begin a run in a folder that is killed after two thirds of it."""
        setup = killing_itself(folder.parent, 2 * self.straight.writes // 3, 0.0)
        start(KINDS[self.kind], self.kit, folder, setup).end()

    def end(self, folder: Path) -> str | None:
        """Let the run in a folder go to its end, and return what is wrong then."""
        run = start(KINDS[self.kind], self.kit, folder)
        if run.end() != 0:
            return f"the resumed run ended with exit code {run.code}: {run.last_line}"
        return self.straight.difference(folder)


def disks(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Let the disk be full, read-only or gone in the middle of a run, and mend it."""
    draw, own = random.Random(f"{seed}/disks"), _Place(kit, place)
    largest = max(path.stat().st_size for path in own.straight.folder.rglob("*") if path.is_file())
    rounds = QUICK_ROUNDS if quick else ROUNDS
    for _ in range(rounds):
        size = int(largest ** draw.uniform(0.3, 1.0)) - 1
        fault = _fail(own, lambda size=size: _limit_files(size), FULL)
        yield "disks", f"full at {size} bytes a file", fault is None, fault or ""
    for _ in range(rounds):
        write = draw.randint(1, own.straight.writes - 5)
        folder = own.folder()
        fault = _fail(own, lambda folder=folder, write=write: _close(folder, write), READ_ONLY, folder)
        yield "disks", f"read-only from write {write} on", fault is None, fault or ""
    for _ in range(rounds):
        write = draw.randint(20, own.straight.writes - 5)
        folder = own.folder()
        run = start(KINDS[KIND], kit, folder, lambda folder=folder, write=write: _vanish(folder, write))
        run.end()
        fault = run.fault_as_error(GONE, "No such file")
        yield "disks", f"gone at write {write}", fault is None, fault or ""


def _fail(own: _Place, setup: Setup, word: str, folder: Path | None = None) -> str | None:
    folder = folder or own.folder()
    run = start(KINDS[own.kind], own.kit, folder, setup)
    if run.end() == 0:
        return own.straight.difference(folder)  # there was room enough
    fault = run.fault_as_error(word)
    for path in [folder.parent, *folder.parent.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IRWXU if path.is_dir() else 0o644)
    return fault or own.end(folder)


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    # what the process itself prints is not what the test is about
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _close(folder: Path, number: int) -> None:
    """Let everything be read-only from the write of this number on, for root as well, who may write anyway."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    sets[0] &= ~(1 << MAY_WRITE_ANYWAY)
    libc.capset(header, sets)

    def call(count: int) -> None:
        if count == number:
            for path in [folder.parent, *folder.parent.rglob("*")]:
                os.chmod(path, 0o555 if path.is_dir() else 0o444)

    at_each_write(folder.parent, call)


def _vanish(folder: Path, number: int) -> None:
    def call(count: int) -> None:
        if count == number:
            shutil.rmtree(folder, ignore_errors=True)

    at_each_write(folder.parent, call)


def checkpoints(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Damage the newest checkpoint, or what else a run goes on from, and resume the run."""
    draw, own = random.Random(f"{seed}/checkpoints"), _Place(kit, place)
    half = own.folder()
    own.begin(half)
    step = sorted(path.name for path in (half / "checkpoints").glob("step-*"))[-1]
    names = sorted(path.name for path in (half / "checkpoints" / step).iterdir())
    for number in range(len(names) * (1 if quick else 4)):
        folder, name = own.folder(), names[number % len(names)]
        shutil.copytree(half, folder)
        how = _damage(folder / "checkpoints" / step / name, draw)
        run = start(KINDS[KIND], kit, folder)
        fault = None if run.end() == 0 else f"exit code {run.code}: {run.last_line}"
        if fault is None and f"{step} is damaged: {name}" not in run.last_line:
            fault = f"the damage is not named: {run.last_line}"
        fault = fault or own.straight.difference(folder, "messages.jsonl")  # it says that something was damaged
        yield "checkpoints", f"{name} {how}", fault is None, fault or ""
    for name in ("policy", "checkpoints", "metrics.jsonl"):
        folder = own.folder()
        shutil.copytree(half, folder)
        _swap_kind(folder / name)
        run = start(KINDS[KIND], kit, folder)
        run.end()
        fault = run.fault_as_error(name)
        yield "checkpoints", f"{name} is something else", fault is None, fault or ""


def _damage(path: Path, draw: random.Random) -> str:
    content = path.read_bytes()
    place = draw.randrange(len(content))
    how = draw.choice(["cut", "bit", "gone", "empty", "longer"])
    match how:
        case "cut":
            path.write_bytes(content[:place])
        case "bit":
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :])
        case "gone":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "longer":
            path.write_bytes(content + b"\n")
    return how


def _swap_kind(path: Path) -> None:
    if not path.suffix:
        shutil.rmtree(path, ignore_errors=True)
        path.write_text("")
    else:
        path.unlink()
        path.mkdir()


def consoles(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Print to nobody, to a full disk, to nothing, and in other encodings."""
    own = _Place(kit, place)
    ways: dict[str, Callable[[], None]] = {
        "closed pipe": _print_to_nobody,
        "full disk": lambda: _print_to("/dev/full"),
        "closed output": lambda: os.close(1),
        "ascii": lambda: _encode("ascii"),
        "latin-1": lambda: _encode("latin-1"),
        "shift_jis": lambda: _encode("shift_jis"),
    }
    for name, setup in ways.items():
        folder = own.folder()
        run = start(KINDS[KIND], kit, folder, setup)
        fault = own.straight.difference(folder) if run.end() == 0 else f"exit code {run.code}: {run.last_line}"
        yield "consoles", name, fault is None, fault or ""


def _print_to_nobody() -> None:
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.close(reading)


def _print_to(path: str) -> None:
    os.dup2(os.open(path, os.O_WRONLY), 1)


def _encode(encoding: str) -> None:
    import sys

    sys.stdout.reconfigure(encoding=encoding)  # type: ignore[union-attr]
    sys.stderr.reconfigure(encoding=encoding)  # type: ignore[union-attr]


def writers(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Begin the same run, resume it, or compare under one name, twice at the same time."""
    own, comparison = _Place(kit, place), _Place(kit, place, COMPARISON)
    for number in range(1 if quick else 5):
        for name, each, is_begun in (
            ("the same run, resumed", own, True),
            ("the same run, begun", own, False),
            ("the same comparison", comparison, False),
        ):
            folder = each.folder()
            if is_begun:
                each.begin(folder)
            fault = _both(each, folder)
            yield "two processes", f"{name} ({number})", fault is None, fault or ""


def _both(own: _Place, folder: Path) -> str | None:
    runs = [start(KINDS[own.kind], own.kit, folder)]
    log = runs[0].log.rename(folder.parent / "first.log")
    runs.append(start(KINDS[own.kind], own.kit, folder))
    codes = sorted(run.end() for run in runs)
    said = runs[1].output + log.read_text()
    if "Traceback" in said:
        return f"a traceback: {said[-200:]}"
    refusal = next((line for line in said.splitlines() if line.startswith("error: ")), "")
    if codes == [0, 2] and not any(word in refusal for word in ("is writing to it", "is taken")):
        return f"the other process is not named: {refusal}"
    if codes not in ([0, 2], [0, 0]):  # [0, 0]: one was done before the other began
        return f"exit codes {codes}: {said[-200:]}"
    if codes == [0, 2] and "is taken" in refusal:
        return own.end(folder)
    return own.straight.difference(folder) if own.kind == COMPARISON or codes == [0, 2] else None
