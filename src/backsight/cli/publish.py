"""The command `backsight publish`."""

from __future__ import annotations

from typing import Annotated

import typer

from backsight.cli.arguments import RUN


def publish(
    run: Annotated[str, RUN],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Show it to nobody else.")] = False,
    revision: Annotated[str | None, typer.Option(metavar="BRANCH", help="The branch; main by default.")] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Add an adapter to the weights: one whole model.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be uploaded; ask nobody.")] = False,
) -> None:
    """Upload the policy of a run to the Hugging Face hub, with its model card."""
    from rich.console import Console

    from backsight.reports.files import size_text
    from backsight.reports.terminal import say
    from backsight.runs import publish as hub

    console = Console()
    with hub.prepare(run, repo, revision=revision, private=private, merge=merge) as upload:
        for name, size in upload.sizes.items():
            say(console, f"{name}  {size_text(size)}")
        for name in upload.source.left_out:
            say(console, f"left out, since it is no part of a model: {name}")
        print(f"{len(upload.sizes)} files, {size_text(sum(upload.sizes.values()))}, for {repo}")
        if not dry_run:
            print(f"published: {hub.publish(upload)}")
