"""Chains of kills, and signals: a run that is ended again and again has to leave what an uninterrupted one leaves."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.campaign.kinds import KINDS
from benchmarks.campaign.processes import Started, killing_itself, start
from benchmarks.campaign.straight import Straight, run_straight

Outcome = tuple[str, str, bool, str]
"""Part, case, whether it was right, and what went wrong."""

CHAINS, QUICK_CHAINS = 20, 2
"""Chains of kills for each kind of run."""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
LONG = 30
"""Steps of a run that is interrupted in the middle."""
NEWEST = r"(.*/)?checkpoints/step-0000[0-2]\d/.*"
"""Checkpoints before the last: whoever interrupts a run gets one of the step where it ends."""
DELAYS = [0.0, 0.0, 0.001, 0.005]
"""Seconds between the beginning of a write and the kill: none, or so many that it falls inside."""


def chains(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Kill runs of every kind, at random moments and inside random writes, until they are done."""
    for kind in KINDS:
        draw = random.Random(f"{seed}/{kind}")
        straight = run_straight(kind, kit, _folder(place, kind, "straight"))
        for number in range(QUICK_CHAINS if quick else CHAINS):
            name, fault = _chain(straight, _folder(place, kind, f"chain-{number}"), draw, number)
            yield "kills", f"{kind}, chain {number}: {name}", fault is None, fault or ""


def _chain(straight: Straight, folder: Path, draw: random.Random, number: int) -> tuple[str, str | None]:
    links = []
    for _ in range(draw.randint(1, 3)):
        if (number + len(links)) % 2:
            seconds = draw.uniform(0, straight.seconds)
            links.append(f"killed after {seconds:.3f} s")
            run = start(KINDS[straight.kind], straight.kit, folder)
            if run.wait(seconds) is None:
                run.send(signal.SIGKILL)
        else:
            write, delay = draw.randint(1, straight.writes), draw.choice(DELAYS)
            links.append(f"killed {delay} s into write {write}")
            setup = killing_itself(folder.parent, write, delay)
            run = start(KINDS[straight.kind], straight.kit, folder, setup)
        if run.end() not in (0, -signal.SIGKILL):
            return ", ".join(links), f"exit code {run.code}: {run.last_line}"
    return ", ".join(links), _end(straight, folder)


def _end(straight: Straight, folder: Path, ignoring: str = "") -> str | None:
    """Let a run go to its end, and return what is wrong then, but for files of names that match a pattern."""
    run = start(KINDS[straight.kind], straight.kit, folder, steps=straight.steps)
    if run.end() != 0:
        return f"the last resume ended with exit code {run.code}: {run.last_line}"
    return straight.difference(folder, ignoring)


def signals(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Interrupt long runs of every kind in the middle, by every signal, and resume them."""
    for number, kind in enumerate(KINDS):
        draw = random.Random(f"{seed}/{kind}")
        straight = run_straight(kind, kit, _folder(place, kind, "straight"), LONG)
        for signum in [SIGNALS[number % len(SIGNALS)]] if quick else SIGNALS:
            folder = _folder(place, kind, signum.name)
            run = start(KINDS[kind], kit, folder, steps=LONG)
            fault = _interrupt(run, folder, signum, draw.uniform(0.2, 0.8) * straight.seconds)
            fault = fault or _end(straight, folder, NEWEST)
            yield "signals", f"{kind}: {signum.name}", fault is None, fault or ""


def _interrupt(run: Started, folder: Path, signum: signal.Signals, seconds: float) -> str | None:
    """Send the signal once the run has begun, and return what is wrong with how it ends."""
    while not folder.exists() and not run.has_ended():
        time.sleep(0.005)
    run.wait(seconds)
    run.send(signum)
    if run.end() not in (0, 130):  # 0: it came too late
        return f"exit code {run.code}: {run.last_line}"
    if run.code == 130 and "Traceback" in run.output:
        return f"a traceback: {run.last_line}"
    return None


def _folder(place: Path, kind: str, name: str) -> Path:
    folder = place / f"{kind.replace(' ', '-')}-{name}" / "run"
    folder.parent.mkdir(parents=True)
    return folder
