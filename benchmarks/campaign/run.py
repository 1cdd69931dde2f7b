"""The campaign: everything that may befall a run, by the hundred, and what was not right.

    python benchmarks/campaign/run.py                     all parts, half an hour to an hour on 2 cores
    python benchmarks/campaign/run.py --quick             a few cases of each part, in 5 minutes
    python benchmarks/campaign/run.py --part kills        one part; may be repeated
    python benchmarks/campaign/run.py --seed 7            other cases

It prints one table (tried, right) and every case that was not right, and ends with exit code 1 if there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

Outcome = tuple[str, str, bool, str]
"""Part, case, whether it was right, and what went wrong."""
Part = Callable[[Path, Path, int, bool], Iterator[Outcome]]
"""A function from the kit, an empty folder, the seed, and whether it has to be quick, to what came of each case."""

PARTS: Mapping[str, str] = {
    "kills": "kills:chains",
    "signals": "kills:signals",
    "disks": "faults:disks",
    "checkpoints": "faults:checkpoints",
    "consoles": "faults:consoles",
    "writers": "faults:writers",
    "inputs": "inputs:try_inputs",
}
"""Module and function of each part."""


def main() -> None:
    """Try the parts, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few cases of each part, in 5 minutes")
    parser.add_argument("--seed", type=int, default=0, help="seed of the cases")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; may be repeated")
    arguments = parser.parse_args()
    counts: dict[str, list[int]] = {}
    wrong: list[str] = []
    for part, name, is_right, fault in _outcomes(arguments.part or list(PARTS), arguments.seed, arguments.quick):
        tried = counts.setdefault(part, [0, 0])
        tried[0] += 1
        tried[1] += is_right
        if not is_right:
            wrong.append(f"{part}: {name}: {fault}")
            print(f"not right: {wrong[-1]}", flush=True)
    width = max(map(len, [*counts, "part"]))
    print(f"\n{'part':{width}}  tried  right")
    for part, (tried_count, right) in counts.items():
        print(f"{part:{width}}  {tried_count:5}  {right:5}")
    print(
        f"{'all':{width}}  {sum(each[0] for each in counts.values()):5}  {sum(each[1] for each in counts.values()):5}"
    )
    print(f"\nnot right: {len(wrong)}")
    for line in wrong:
        print(f"  {line}")
    sys.exit(bool(wrong))


def _outcomes(parts: list[str], seed: int, quick: bool) -> Iterator[Outcome]:
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    _import_all()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)  # for runs as somebody else
        _make_kit(place / "kit")
        for name in parts:
            module, _, function = PARTS[name].partition(":")
            part: Part = getattr(import_module(f"benchmarks.campaign.{module}"), function)
            (place / name).mkdir()
            yield from part(place / "kit", place / name, seed, quick)


def _import_all() -> None:
    """Import what runs need, once: they are forked from this process, which itself computes nothing."""
    import torch

    torch.set_num_threads(1)
    for name in ("backsight.cli.main", "backsight.comparison.compare", "peft", "gymnasium", "safetensors.torch"):
        import_module(name)


def _make_kit(folder: Path) -> None:
    from benchmarks.campaign.kinds import make_kit

    folder.mkdir()
    pid = os.fork()
    if pid == 0:
        make_kit(folder)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the models of the campaign could not be made")


if __name__ == "__main__":
    main()
