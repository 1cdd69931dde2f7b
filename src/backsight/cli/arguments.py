"""What several commands are given, and how they end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130
"""The shell's exit code for a program that Ctrl-C ended."""

PRESET = typer.Argument(
    metavar="PRESET",
    help="What to learn: dialogue, instructions, logs, sentiment, summarization, translation or reasoning-gym:NAME.",
)

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings by dotted key: stop.max_steps=100.")
]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option(metavar="FILE.yaml", help="Settings from a file; may be repeated.")
]
