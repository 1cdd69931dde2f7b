"""A report as a page, as Markdown, and its curves as SVG."""

import base64
import hashlib
import re
from xml.etree import ElementTree

from backsight.evaluation.across_seeds import Curve
from backsight.reports.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curves_svg
from backsight.reports.document import Figure, Report, Table
from backsight.reports.markdown import markdown
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
    assert table.columns == ["x", "y"]
    whole = Report("r", {}, [], [table])
    assert "| a | 1 | – |\n| b | – | 2 |\n" in markdown(whole)
    assert "<tr><th>b</th><td>–</td><td>2</td></tr>" in page(whole)


def test_nothing_in_markdown_is_markup() -> None:
    written = markdown(report(f"{BAD} a|b\n# c *d* [e](f)"))
    assert "<" not in written and "&lt;script&gt;" in written
    assert r"a\|b \# c \*d\* \[e\](f)" in written
    assert len([line for line in written.splitlines() if line.startswith("#")]) == 3, "the title and two parts"


def test_markdown_says_curves_in_numbers() -> None:
    assert "| plain | 0.000 | 0.500 | 1.000 |\n| other | 0.000 | 0.500 | 1.000 |\n" in markdown(report("plain"))


def test_curves_are_where_they_belong() -> None:
    svg = ElementTree.fromstring(curves_svg(Figure("f", "attempts", {"one": CURVE})))
    (line,) = svg.iter("polyline")
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    middle = f"{(LEFT + right) / 2:.1f},{(TOP + bottom) / 2:.1f}"
    assert line.get("points") == f"{LEFT:.1f},{bottom:.1f} {middle} {right:.1f},{TOP:.1f}"
    (band,) = svg.iter("polygon")
    assert len((band.get("points") or "").split()) == 6, "there above and back below"
    texts = [each.text for each in svg.iter("text")]
    assert texts == ["0", "0.2", "0.4", "0.6", "0.8", "1", "0", "20", "40", "60", "80", "100", "attempts", "one"]


def test_a_flat_curve_and_many_curves_can_be_drawn() -> None:
    flat = Curve((0.0,), (0.0,), (0.0,), (0.0,))
    svg = curves_svg(Figure("f", "steps", {f"method {number} with a rather long name": flat for number in range(9)}))
    looks = re.findall(r'<polyline [^>]*stroke="([^"]*)" stroke-width="2" stroke-dasharray="([^"]*)"', svg)
    assert len(set(looks)) == 9
    assert "nan" not in svg and "inf" not in svg


def test_heights_below_zero_and_small_differences() -> None:
    curve = Curve((0.0, 10.0), (-5.71, -5.69), (-5.72, -5.7), (-5.7, -5.68))
    svg = ElementTree.fromstring(curves_svg(Figure("f", "steps", {"a": curve})))
    texts = [each.text for each in svg.iter("text")]
    assert texts[:5] == ["-5.72", "-5.71", "-5.7", "-5.69", "-5.68"]
