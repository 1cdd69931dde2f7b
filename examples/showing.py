"""What the demos have in common: where their runs lie, and how they show figures and failures."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from backsight.errors import BacksightError
from backsight.evaluation.statistics import Estimate
from backsight.presets.base import find_preset
from backsight.reports.tables import interval_text

OWN_SETTINGS = {"preset", "policy", "hindsight", "stop", "seed", "output_dir", "run_name", "eval_items"}
"""Settings that every run of a demo has of its own."""


def new_folder(name: str) -> Path:
    """Return a folder for the runs of a demo that is not there yet."""
    folders = (Path("runs") / f"{name}-{number}" for number in itertools.count(1))
    return next(each for each in folders if not each.exists())


def settings_of(preset: str, policy: str) -> dict[str, Any]:
    """Return the settings of a preset as far as another run on a task like its own takes them over."""
    config = find_preset(preset, {"policy": policy}).config
    return config.model_dump(exclude=OWN_SETTINGS)


def percent(values: Mapping[str, Any]) -> str:
    """Write the fields of an estimate as a percentage with its interval."""
    return interval_text(Estimate(**values), as_percent=True)


def tell(console: Console, text: str) -> None:
    """Print a text as it is, on one line however long: it may be a path, or what a model wrote."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def show(demo: Callable[[], None], console: Console) -> None:
    """Run a demo, say how long it took, and end in one line if something has to be put right."""
    started = time.monotonic()
    try:
        demo()
    except BacksightError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    tell(console, f"\nAll of it took {time.monotonic() - started:.0f} s.")
