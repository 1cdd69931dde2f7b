"""All measurements of what lies beyond one process, one after the other.

    python benchmarks/scale/run.py --python /path/to/python             two hours on 2 cores
    python benchmarks/scale/run.py --quick --python /path/to/python     small models and few rounds; nothing is written

`--python` is the Python in which vLLM is installed; without it, what needs vLLM is left out. Each measurement is a
script of its own in this folder, says what it measures, and writes its own results.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

COMPUTED, MEASURED, WITH_VLLM = ("arithmetic.py",), ("ranks.py", "recovery.py"), ("engines.py", "staleness.py")


def main() -> None:
    """Run the scripts, and say which of them failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small models and few rounds; nothing is written")
    parser.add_argument("--python", help="the Python in which vLLM is installed")
    arguments = parser.parse_args()
    words = ["--quick"] if arguments.quick else []
    commands = {**dict.fromkeys(COMPUTED, list[str]()), **dict.fromkeys(MEASURED, words)}
    if arguments.python is not None:
        commands |= {script: [*words, f"--python={arguments.python}"] for script in WITH_VLLM}
    folder, failed = Path(__file__).parent, []
    for script, own in commands.items():
        print(f"== benchmarks/scale/{script}", flush=True)
        if subprocess.run([sys.executable, str(folder / script), *own]).returncode:
            failed.append(script)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
