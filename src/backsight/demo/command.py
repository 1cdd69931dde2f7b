"""How a demo is started: its arguments, and how it fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from backsight.errors import BacksightError


def run_demo(description: str, show: Callable[[float, int, str], None], seconds: float) -> None:
    """Parse the arguments and call `show` with the seconds of training of each method, the seed and the folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help="training time of each method")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", default="runs", help="where the run folders are made")
    arguments = parser.parse_args()
    try:
        show(arguments.seconds, arguments.seed, arguments.output_dir)
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
