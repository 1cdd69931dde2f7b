import io

from rich.console import Console
from rich.table import Table

from backsight.evaluation.evaluator import Scores
from backsight.evaluation.paired import Comparison
from backsight.evaluation.statistics import Estimate
from backsight.reports.tables import (
    answers_table,
    differences_table,
    interval_text,
    scores_table,
    text_table,
    time_summary,
)


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_intervals_as_numbers_and_percentages() -> None:
    interval = Estimate(0.3528, 0.31, 0.4, 200)
    assert interval_text(interval) == "0.353 (0.310–0.400)"
    assert interval_text(interval, as_percent=True) == "35 % (31–40)"
    assert interval_text(Estimate(-0.01, -0.02, 0.004, 9)) == "-0.010 (-0.020 to 0.004)"
    assert interval_text(Estimate(18.25, 17.5, 19.0, 9)) == "18.2 (17.5–19.0)"


def test_a_missing_cell_is_a_dash_and_nothing_is_markup() -> None:
    text = printed(text_table("[b]t[/b]", {"[red]a": {"x": "1"}, "b": {"y": "[/]"}}))
    assert "[b]t[/b]" in text
    rows = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in text.splitlines()]
    assert ["", "x", "y"] in rows
    assert ["[red]a", "1", "–"] in rows
    assert ["b", "–", "[/]"] in rows


def test_answers_stand_side_by_side_and_keep_their_lines() -> None:
    text = printed(answers_table("[b]why?", {"one": ["a\nb", "c"], "two": ["[red]x", ""]}))
    assert text.startswith("[b]why?")
    rows = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in text.splitlines()]
    assert ["one", "two"] in rows and ["a", "[red]x"] in rows and ["b", ""] in rows and ["c", ""] in rows


def test_evaluations_stand_side_by_side() -> None:
    before, after = Estimate(0.1, 0.0, 0.2, 10), Estimate(0.5, 0.4, 0.6, 10)
    text = printed(
        scores_table(
            "t",
            {
                "before": {"test": Scores(before, {"chrf": before}, ())},
                "after": {"test": Scores(after, {"chrf": after}, ()), "ood": Scores(after, {}, ())},
            },
        )
    )
    lines = {line.split("│")[1].strip(): line for line in text.splitlines() if line.startswith("│")}
    assert list(lines) == ["test: reward", "test: chrf", "ood: reward"]
    assert "0.100 (0.000–0.200)" in lines["test: chrf"] and "0.500 (0.400–0.600)" in lines["test: chrf"]
    assert "–" in lines["ood: reward"].split("│")[2]


def test_differences_come_with_their_p() -> None:
    comparison = Comparison(0.1, 0.15, Estimate(0.05, -0.01, 0.11, 10), 0.07314)
    lines = printed(differences_table("t", {"test": {"reward": comparison}, "ood": {"[x]": comparison}})).splitlines()
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert cells == [[name, "0.050 (-0.010 to 0.110)", "0.0731"] for name in ("test: reward", "ood: [x]")]


def test_the_time_of_a_run_is_one_line() -> None:
    rows = [
        {"reward": 1.0, "time/decode": 1.0, "time/backward": 0.5, "time/reward": 0.001},
        {"time/decode": 2.0, "time/backward": 0.5, "matrix_rate/achieved": 0.314, "memory/peak_gib": 1.04},
    ]
    expected = "a step takes 2.00 s; decode 75%, backward 25%; 31% of the rate of matrix products; 1.0 GiB at most"
    assert time_summary(rows) == expected
    assert time_summary([]) == time_summary([{"reward": 1.0}]) == ""
