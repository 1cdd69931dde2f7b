"""The command `backsight explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.attribution.feedback import FeedbackEffect
    from backsight.runs.explain import Explanation

RUN = typer.Argument(metavar="RUN", help="A run folder.")


def explain(  # noqa: PLR0913  (a command's options are its parameters)
    run: Annotated[Path, RUN],
    prompt: Annotated[str | None, typer.Option(metavar="TEXT", help="The prompt of an answer to explain.")] = None,
    completion: Annotated[str | None, typer.Option(metavar="TEXT", help="The answer to explain.")] = None,
    held_out: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Explain what is rewarded on this split instead.")
    ] = None,
    attempt: Annotated[
        str | None,
        typer.Option(metavar="STEP/GROUP/ATTEMPT", help="Which tokens of this attempt its feedback speaks against."),
    ] = None,
    feedback: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --attempt: other words than were said of it.")
    ] = None,
    steps: Annotated[
        str | None, typer.Option(metavar="N,N", help="Only these steps; all that can be made again by default.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", help="Rows to show.")] = 10,
    json: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write everything.")] = None,
) -> None:
    """Say why a model changed: which attempts made an answer more likely, or what feedback says of each token."""
    from rich.console import Console

    from backsight.reports.files import check_new_file, write_json
    from backsight.runs import explain as why

    if json is not None:
        check_new_file("json", json, [".json"])
    if (attempt is not None) + (held_out is not None) + (prompt is not None or completion is not None) != 1:
        remedy = "choose one: --prompt with --completion, --held-out SPLIT, or --attempt STEP/GROUP/ATTEMPT"
        raise ConfigError("explain", "what", remedy)
    console = Console()
    if attempt is not None:
        pieces, effect = why.explain_attempt(run, *_place(attempt), said=feedback)
        _print_effect(console, pieces, effect)
        found = effect_as_dict(pieces, effect)
    else:
        numbers = None if steps is None else [_number(each) for each in steps.split(",")]
        if held_out is not None:
            explanation = why.explain_held_out(run, held_out, numbers)
        elif prompt is None or completion is None:
            raise ConfigError("explain", "--prompt or --completion", "is missing; an answer needs both")
        else:
            explanation = why.explain_answer(run, prompt, completion, numbers)
        _print_rows(console, explanation, top)
        found = explanation.as_dict()
    if json is not None:
        write_json(json, found)
        print(f"written: {json}")


def _place(attempt: str) -> tuple[int, int, int]:
    try:
        step, group, number = map(int, attempt.split("/"))
    except ValueError:
        remedy = "write three numbers, as the page shows them: STEP/GROUP/ATTEMPT"
        raise ConfigError("attempt", attempt, remedy) from None
    return step, group, number


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError("steps", text, "is no number; write --steps 1,11,21") from None


def _print_rows(console: Console, found: Explanation, top: int) -> None:
    from backsight.reports.tables import text_table
    from backsight.reports.terminal import say

    for note in found.notes:
        say(console, note)
    if not found.rows:
        return
    sums = ", ".join(f"step {step} {effect:+.3g}" for step, effect in found.steps.items())
    print(f"{_line(found.what)}: changed by {sums} nats")
    rows = {
        f"{number}": {
            "nats": f"{each.effect:+.3g}",
            "attempt": f"{each.step}/{'/'.join(map(str, each.attempt))}" if each.attempt else f"{each.step}",
            "method": each.method,
            "reward": "–" if each.reward is None else f"{each.reward:.3g}",
            "response": _line(each.response)[:60],
            "feedback": _line(each.feedback or "–")[:40],
        }
        for number, each in enumerate(found.rows[:top], start=1)
    }
    console.print(text_table(f"the {len(rows)} rows of {len(found.rows)} that did most", rows))
    for title, sums_by in (("by method", found.by("method")), ("by who judged", found.by("sources"))):
        print(f"{title}: {', '.join(f'{name} {effect:+.3g}' for name, effect in sums_by.items())}")


def _print_effect(console: Console, pieces: list[str], effect: FeedbackEffect) -> None:
    from backsight.reports.tables import text_table

    print(f"told: {_line(effect.hint)}")
    columns = {
        f"{place} {_line(text)[:20]}": own.tolist()
        for place, (text, own) in enumerate(zip(effect.sentences, effect.by_sentence, strict=True), start=1)
    }
    rows = {
        f"{number}": {
            "token": repr(piece),
            "all of it": f"{whole:+.2f}",
            **{title: f"{own[number - 1]:+.2f}" for title, own in columns.items()},
        }
        for number, (piece, whole) in enumerate(zip(pieces, effect.whole_T.tolist(), strict=True), start=1)
    }
    console.print(text_table("change of each token's log-probability when it is told, in nats", rows))


def effect_as_dict(pieces: list[str], effect: FeedbackEffect) -> dict[str, object]:
    """Return the effect of feedback on each token as values of JSON."""
    return {
        "pieces": pieces,
        "hint": effect.hint,
        "whole": effect.whole_T.tolist(),
        "sentences": list(effect.sentences),
        "by_sentence": [each.tolist() for each in effect.by_sentence],
    }


def _line(text: str) -> str:
    """Return a text that a model or a user wrote as one line for the terminal."""
    from backsight.reports.terminal import printable_lines

    return " ".join(printable_lines(text).split())
