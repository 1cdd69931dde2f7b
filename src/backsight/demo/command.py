"""How a demo is started: its arguments, and how it fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TypeVar

from backsight.errors import BacksightError

Budget = TypeVar("Budget", int, float)


def run_demo(description: str, show: Callable[[Budget, int, str], None], unit: str, budget: Budget) -> None:
    """Parse the arguments and call `show` with the budget of each method, in that unit, the seed and the folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(f"--{unit}", dest="budget", type=type(budget), default=budget, help="training of each method")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output-dir", default="runs", help="where the run folders are made")
    arguments = parser.parse_args()
    try:
        show(arguments.budget, arguments.seed, arguments.output_dir)
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
