"""The command line of backsight. Commands import torch and other large packages only when they run: help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from backsight import __version__
from backsight.cli.chat import chat
from backsight.cli.check import check
from backsight.cli.compare import compare
from backsight.cli.endings import end_in_one_line
from backsight.cli.evaluate import evaluate
from backsight.cli.explain import explain
from backsight.cli.export import export
from backsight.cli.plan import plan
from backsight.cli.publish import publish
from backsight.cli.train import train
from backsight.cli.try_prompts import try_prompts
from backsight.cli.view import view
from backsight.distributed.environment import check_alone
from backsight.interrupts import treat_all_as_ctrl_c
from backsight.reports.terminal import steady_output

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(train)
app.command()(evaluate)
app.command()(compare)
app.command()(plan)
app.command()(check)
app.command()(chat)
app.command("try")(try_prompts)
app.command()(view)
app.command()(explain)
app.command()(export)
app.command()(publish)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def backsight(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reinforcement learning with hindsight feedback for language models."""
    if context.invoked_subcommand != train.__name__:
        check_alone(f"backsight {context.invoked_subcommand}")


def main() -> None:
    """Run the command line. Every error ends in one line; see `backsight.cli.endings`."""
    treat_all_as_ctrl_c()
    with steady_output():
        end_in_one_line(app)
