import io

import pytest
from rich.console import Console

from backsight.reports.progress import TrainingProgress


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def run(console: Console, clock: Clock, steps: int, *, is_shown: bool = True) -> str:
    with TrainingProgress("relabel [b]", is_shown=is_shown, console=console, clock=clock) as progress:
        for step in range(1, steps + 1):
            clock.seconds += 4
            metrics = {"success": float(step % 2), "reward": 0.25, "loss/imitation": 3.0}
            progress.update(step=step, attempts=8 * step, metrics=metrics, share=step / steps)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_gets_a_line_every_ten_seconds_and_the_last_one() -> None:
    console = Console(file=io.StringIO(), width=40)
    lines = run(console, Clock(), 10).splitlines()
    assert [line.split(" · ")[0] for line in lines] == [
        "relabel [b]: step 3",
        "relabel [b]: step 6",
        "relabel [b]: step 9",
        "relabel [b]: step 10",
    ]
    assert lines[1] == "relabel [b]: step 6 · 48 attempts · success 50% · reward 0.25 · 0:16 left"


def test_means_forget_old_steps() -> None:
    console = Console(file=io.StringIO())
    with TrainingProgress("m", console=console, clock=Clock()) as progress:
        for step in range(1, 21):
            metrics = {"reward": 0.0 if step <= 10 else 1.0}
            progress.update(step=step, attempts=0, metrics=metrics, share=1.0 if step == 20 else 0.5)
    assert "reward 1.00" in console.file.getvalue()  # type: ignore[attr-defined]


def test_without_a_budget_no_time_is_promised() -> None:
    console, clock = Console(file=io.StringIO()), Clock()
    with TrainingProgress("m", console=console, clock=clock) as progress:
        for step in (1, 2):
            clock.seconds += 11
            progress.update(step=step, attempts=0, metrics={}, share=0.0)
    assert console.file.getvalue() == "m: step 1 · 0 attempts\nm: step 2 · 0 attempts\n"  # type: ignore[attr-defined]


def test_without_rewards_the_loss_is_shown() -> None:
    console = Console(file=io.StringIO())
    with TrainingProgress("supervised", console=console) as progress:
        progress.update(step=1, attempts=0, metrics={"loss/imitation": 2.5}, share=1.0)
    assert "loss 2.50" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_resumed_run_reckons_from_where_it_started() -> None:
    console, clock = Console(file=io.StringIO(), width=200), Clock()
    with TrainingProgress("m", console=console, clock=clock) as progress:
        progress.update(step=81, attempts=0, metrics={}, share=0.81)
        clock.seconds = 90.0
        progress.update(step=90, attempts=0, metrics={}, share=0.90)
    assert "1:40 left" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_is_printed_when_hidden(is_terminal: bool) -> None:
    assert run(Console(file=io.StringIO(), force_terminal=is_terminal), Clock(), 5, is_shown=False) == ""


def test_a_terminal_gets_a_bar() -> None:
    text = run(Console(file=io.StringIO(), force_terminal=True, width=120), Clock(), 4)
    assert "relabel [b]" in text and "step 4" in text and "━" in text
