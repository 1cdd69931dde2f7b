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

POLICY = typer.Argument(
    metavar="POLICY", help="Who answers: a name such as pocket, a model folder, a run folder or a hub id."
)

TEMPERATURE = 0.3
System = Annotated[str | None, typer.Option(metavar="TEXT", help="What the model is told before everything else.")]
Temperature = Annotated[float, typer.Option(metavar="T", help="Divisor of the logits; 0 takes the likeliest token.")]
MaxTokens = Annotated[
    int | None,
    typer.Option(metavar="N", help="Most tokens of an answer; by default 256, or fewer where the context is small."),
]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of the answers: the same one gives the same answers.")]

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings by dotted key: stop.max_steps=100.")
]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option(metavar="FILE.yaml", help="Settings from a file; may be repeated.")
]
RUN = typer.Argument(metavar="RUN", help="A run folder (its trained policy), or a model folder.")
