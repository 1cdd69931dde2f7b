"""Curves as SVG."""

import re
from xml.etree import ElementTree

from backsight.evaluation.across_seeds import Curve
from backsight.reports.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curves_svg
from backsight.reports.document import Figure

CURVE = Curve((0.0, 50.0, 100.0), (0.0, 0.5, 1.0), (0.0, 0.25, 0.5), (0.0, 0.75, 1.0))


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


def test_nothing_in_a_picture_is_markup() -> None:
    bad = "<script>&"
    svg = curves_svg(Figure(bad, bad, {bad: CURVE}))
    assert bad not in svg
    assert ElementTree.fromstring(svg).get("aria-label") == bad
