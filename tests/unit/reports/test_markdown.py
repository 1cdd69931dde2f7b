"""A report as Markdown."""

from backsight.evaluation.across_seeds import Curve
from backsight.reports.document import Figure, Report, Table
from backsight.reports.markdown import markdown

BAD = '<script>alert("1")</script>'
CURVE = Curve((0.0, 50.0, 100.0), (0.0, 0.5, 1.0), (0.0, 0.25, 0.5), (0.0, 0.75, 1.0))


def report(name: str) -> Report:
    table = Table(f"table {name}", {name: {"reward": "0.5", name: name}, "other": {"reward": name}}, f"note {name}")
    figure = Figure(f"figure {name}", name, {name: CURVE, "other": CURVE}, name)
    return Report(name, {name: name}, [name], [table, figure])


def test_nothing_in_markdown_is_markup() -> None:
    written = markdown(report(f"{BAD} a|b\n# c *d* [e](f)"))
    assert "<" not in written and "&lt;script&gt;" in written
    assert r"a\|b \# c \*d\* \[e\](f)" in written
    assert len([line for line in written.splitlines() if line.startswith("#")]) == 3, "the title and two parts"


def test_markdown_says_curves_in_numbers() -> None:
    assert "| plain | 0.000 | 0.500 | 1.000 |\n| other | 0.000 | 0.500 | 1.000 |\n" in markdown(report("plain"))


def test_a_cell_that_a_row_does_not_have_is_a_dash() -> None:
    table = Table("t", {"a": {"x": "1"}, "b": {"y": "2"}})
    assert "| a | 1 | – |\n| b | – | 2 |\n" in markdown(Report("r", {}, [], [table]))
