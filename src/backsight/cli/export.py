"""The command `backsight export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from backsight.cli.arguments import RUN


def export(
    run: Annotated[str, RUN],
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A new folder; exports/NAME by default.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add an adapter to the weights: one whole model.")] = False,
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None, typer.Option(help="Numbers of the weights of a merged model.")
    ] = None,
) -> None:
    """Write the policy of a run to a folder of its own."""
    from backsight.reports.files import size_text
    from backsight.runs.export import export as write

    folder = write(run, to, merge=merge, dtype=dtype)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"written: {folder} ({size_text(size)})")
