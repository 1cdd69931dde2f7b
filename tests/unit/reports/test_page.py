"""A report as a page."""

import base64
import hashlib
import re

from backsight.evaluation.across_seeds import Curve
from backsight.reports.document import Figure, Report, Table
from backsight.reports.page import page

BAD = '<script>alert("1")</script>'
CURVE = Curve((0.0, 50.0, 100.0), (0.0, 0.5, 1.0), (0.0, 0.25, 0.5), (0.0, 0.75, 1.0))


def report(name: str) -> Report:
    table = Table(f"table {name}", {name: {"reward": "0.5", name: name}, "other": {"reward": name}}, f"note {name}")
    figure = Figure(f"figure {name}", name, {name: CURVE, "other": CURVE}, name)
    return Report(name, {name: name}, [name], [table, figure])


def test_nothing_in_a_page_is_markup() -> None:
    written = page(report(BAD))
    assert "<script" not in written and 'alert("1")' not in written
    assert "&lt;script&gt;" in written


def test_a_page_loads_nothing_but_the_style_it_knows() -> None:
    written = page(report("plain"))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', written)
    style = re.search(r"<style>(.*)</style>", written, re.DOTALL)
    assert policy is not None and style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert not re.search(r"\b(src|href|style|on\w+)=", written)


def test_a_cell_that_a_row_does_not_have_is_a_dash() -> None:
    table = Table("t", {"a": {"x": "1"}, "b": {"y": "2"}})
    assert "<tr><th>b</th><td>–</td><td>2</td></tr>" in page(Report("r", {}, [], [table]))


def test_control_characters_are_written_out() -> None:
    written = page(report("a\x1b[31m\u202eb\nc"))
    assert "\x1b" not in written and "\u202e" not in written
    assert r"a\x1b[31m\u202eb c" in written
