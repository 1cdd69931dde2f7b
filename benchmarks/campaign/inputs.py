"""Bad inputs by the thousand, from a seed: settings, files of settings, models, data, words and run folders.

    python -m benchmarks.campaign.inputs                     all parts, 5,000 and more inputs
    python -m benchmarks.campaign.inputs settings models     these parts
    python -m benchmarks.campaign.inputs --count 20 --seed 7 twenty of each part, drawn with another seed

It prints the inputs with which something went wrong, and how many were right.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.campaign.cases import Case, Outcome
from benchmarks.shared.places import REPOSITORY

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

QUICK = 40
"""Number of inputs of each part in a rehearsal."""

Generator = Callable[[Path, int, int], Iterator[Case]]


def generators() -> Mapping[str, tuple[Generator, int]]:
    """Return the generator of each part, and how many inputs it makes in a full campaign."""
    from benchmarks.campaign import bad_data, bad_folders, bad_models, bad_settings, bad_words

    return {
        "settings": (bad_settings.settings, 1_800),
        "yaml": (bad_settings.yaml_files, 800),
        "models": (bad_models.models, 1_000),
        "data": (bad_data.data, 1_000),
        "words": (bad_words.words, 700),
        "folders": (bad_folders.folders, 300),
    }


def try_inputs(kit: Path, place: Path, seed: int, quick: bool) -> Iterator[Outcome]:
    """Try all parts in a process of their own, and yield what came of each input.

    They need neither `kit` nor `place`, which every function of the campaign is given: they make a kit of their own.
    """
    words = [sys.executable, "-m", "benchmarks.campaign.inputs", "--seed", str(seed), "--lines"]
    words += ["--count", str(QUICK)] if quick else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as child:
        for line in child.stdout or ():
            yield Outcome(*json.loads(line))
    if child.returncode:
        yield Outcome("inputs", "all of them", False, f"the campaign itself ended with exit code {child.returncode}")


def draw_cases(part: str, kit: Path, seed: int, count: int | None = None) -> list[Case]:
    """Return the inputs of a part, or so many of them."""
    generate, usual = generators()[part]
    cases = list(generate(kit, seed, usual))
    return cases if count is None else random.Random(seed).sample(cases, min(count, len(cases)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"parts to try: {', '.join(generators())}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="inputs of each part")
    parser.add_argument("--lines", action="store_true", help="print every outcome as a line of JSON")
    arguments = parser.parse_args()
    from benchmarks.campaign.cases import try_cases
    from benchmarks.campaign.kit import warm_up

    with tempfile.TemporaryDirectory() as place:
        kit = Path(place)
        # in a process of its own, because a process whose libraries have started threads cannot be forked safely
        subprocess.run([sys.executable, "-m", "benchmarks.campaign.kit", place], check=True, cwd=REPOSITORY)
        warm_up(kit)
        for part in arguments.parts or generators():
            tried = right = 0
            for outcome in try_cases(draw_cases(part, kit, arguments.seed, arguments.count)):
                tried, right = tried + 1, right + outcome.is_right
                if arguments.lines:
                    print(json.dumps(outcome), flush=True)
                elif not outcome.is_right:
                    print(f"{part}: {outcome.name!r}: {outcome.fault[:300]!r}", flush=True)
            if not arguments.lines:
                print(f"{part}: {right} of {tried} right", flush=True)


if __name__ == "__main__":
    main()
