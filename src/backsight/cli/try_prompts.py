"""The command `backsight try`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.arguments import POLICY, TEMPERATURE, MaxTokens, Seed, System, Temperature
from backsight.cli.streams import note, read_text
from backsight.reports.terminal import printable_lines

if TYPE_CHECKING:
    from backsight.runs.answers import Trial

STANDARD_INPUT = "-"
SIDE_BY_SIDE = 100
"""Columns of a terminal from which on answers stand side by side."""


def try_prompts(  # noqa: PLR0913  (a command's options are its parameters)
    policy: Annotated[str, POLICY],
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", help="What to answer; - reads standard input.")],
    against: Annotated[
        str | None, typer.Option(metavar="POLICY", help="Show the answers of this policy beside, with the same seeds.")
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", help="Answers to each prompt.")] = 1,
    system: System = None,
    temperature: Temperature = TEMPERATURE,
    max_tokens: MaxTokens = None,
    seed: Seed = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
) -> None:
    """Let a policy answer single prompts, alone or side by side with another policy."""
    from json import dumps

    from backsight.runs.answers import TrialOptions
    from backsight.runs.answers import try_prompts as run_trial

    options = TrialOptions(system=system, temperature=temperature, max_tokens=max_tokens, seed=seed, samples=samples)
    texts = [read_text(sys.stdin.read) if prompt == STANDARD_INPUT else prompt for prompt in prompts]
    trial = run_trial(policy, texts, options, against)
    for path in trial.without_template:
        note(f"{path} has no chat template: it continues the prompts as plain text")
    if json:
        print(dumps(trial.as_dict(), indent=1))
    else:
        _print(trial)


def _print(trial: Trial) -> None:
    from rich.console import Console

    from backsight.reports.tables import answers_table

    console = Console()
    for number, (prompt, answers) in enumerate(zip(trial.prompts, trial.answers, strict=True)):
        shown = {trial.paths[role]: [str(each) for each in own] for role, own in answers.items()}
        if number:
            print()
        if len(shown) > 1 and console.width >= SIDE_BY_SIDE:
            console.print(answers_table(prompt, shown))
            continue
        print(printable_lines(prompt))
        for place in range(trial.options.samples):
            for name, own in shown.items():
                print(printable_lines(f"\n{name}:\n{own[place]}"))
