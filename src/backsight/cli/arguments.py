"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backsight.presets.catalogue import PRESETS

INTERRUPTED = 130
"""Exit code of a program that Ctrl-C ended, as shells have it."""

PRESET = typer.Argument(
    metavar="PRESET",
    help=f"What to learn: {', '.join(f'{name}NAME' if name.endswith(':') else name for name in PRESETS.own)}, "
    "or a preset of an installed package.",
)

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings by dotted key: stop.max_steps=100.")
]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option(metavar="FILE.yaml", help="Settings from a file; may be repeated.")
]
