"""Curves with bands as SVG, for an HTML page. Everything is drawn here, so that no other package is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from backsight.errors import printable
from backsight.reports.document import Band, Figure

WIDTH, HEIGHT = 960, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 190, 14, 44
"""Margins in pixels; the legend stands in the right one."""
COLOURS = ("#1b6ca8", "#d1495b", "#2f7d5b", "#b08a2e", "#7b5ea7", "#4c9f9b", "#8c564b", "#6b6b6b")
DASHES = ("", "6 3", "2 3")
"""Dashes of the lines; once all colours are used, they come again with the next dashes."""
LABEL_CHARACTERS = 22
TICKS = 5


def curves_svg(figure: Figure) -> str:
    """Return the figure as one `svg` element, with its names escaped."""
    return "\n".join(_parts(figure))


def as_html(text: str) -> str:
    """Return a text as HTML, with characters written out that would change how the page reads."""
    return escape(printable(" ".join(text.split("\n"))))


def _parts(figure: Figure) -> Iterator[str]:
    axes = _Axes(list(figure.curves.values()))
    label, height = as_html(figure.title), max(HEIGHT, TOP + 20 * len(figure.curves))
    yield f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" font-size="12" fill="#333">'
    yield from _grid(axes, figure.unit)
    for number, band in enumerate(figure.curves.values()):
        colour, _ = _look(number)
        outline = axes.points(band.used, band.high) + axes.points(band.used, band.low)[::-1]
        yield f'<polygon points="{_join(outline)}" fill="{colour}" fill-opacity="0.14"/>'
    for number, (name, band) in enumerate(figure.curves.items()):
        colour, dash = _look(number)
        stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        yield f'<polyline points="{_join(axes.points(band.used, band.mean))}" fill="none" {stroke}/>'
        right, middle = WIDTH - RIGHT + 16, TOP + 12 + 20 * number
        shown = name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1] + "…"
        yield f'<line x1="{right}" x2="{right + 24}" y1="{middle}" y2="{middle}" {stroke}/>'
        yield f'<text x="{right + 30}" y="{middle + 4}">{as_html(shown)}</text>'
    yield "</svg>"


def _look(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]


def _grid(axes: _Axes, unit: str) -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value in axes.ticks_y:
        y = axes.y(value)
        yield f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.10g}</text>'
    for value in axes.ticks_x:
        yield f'<text x="{axes.x(value):.1f}" y="{bottom + 17}" text-anchor="middle">{value:,.10g}</text>'
    yield f'<line x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="#888"/>'
    yield f'<text x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{as_html(unit)}</text>'


class _Axes:
    """The axes, which convert measured values to pixels."""

    def __init__(self, bands: Sequence[Band]) -> None:
        self.most_used = max((used for band in bands for used in band.used), default=0.0) or 1.0
        lowest = min((value for band in bands for value in band.low), default=0.0)
        highest = max((value for band in bands for value in band.high), default=1.0)
        self.ticks_x = [each for each in _round_numbers(0.0, self.most_used) if each <= self.most_used]
        self.ticks_y = _round_numbers(lowest, highest)
        self.lowest, self.highest = self.ticks_y[0], self.ticks_y[-1]

    def x(self, used: float) -> float:
        return LEFT + used / self.most_used * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.lowest) / (self.highest - self.lowest)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def points(self, used: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
        return [(self.x(each), self.y(value)) for each, value in zip(used, values, strict=True)]


def _round_numbers(low: float, high: float) -> list[float]:
    """Return ticks in about `TICKS` steps of 1, 2 or 5 times a power of ten, from at most `low` to at least `high`."""
    span = high - low if high > low else max(abs(high), 1.0)
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil((low + span) / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _join(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
