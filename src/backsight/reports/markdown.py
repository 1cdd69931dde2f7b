"""A report as Markdown. Figures become tables of their means, because Markdown draws nothing by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backsight.errors import printable
from backsight.reports.document import Figure, Report, Table

SHOWN_POINTS = 6
"""Number of points of a curve that are shown, evenly spread, its ends among them."""


def markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_plain(report.title)}"
    yield ""
    yield from (f"- {_plain(name)}: {_plain(fact)}" for name, fact in report.facts.items())
    for note in report.notes:
        yield from ("", _plain(note))
    for part in report.parts:
        yield from ("", f"## {_plain(part.title)}", "")
        if isinstance(part, Table):
            yield from _table(part)
        else:
            for name, table in _points(part).items():
                yield from (f"{_plain(name)}:", "", *_table(table), "")
        if part.note:
            yield from ("", _plain(part.note))


def _table(table: Table) -> Iterator[str]:
    yield _row(["", *table.columns])
    yield _row(["---", *("---:" for _ in table.columns)], is_text=False)
    for name, cells in table.rows.items():
        yield _row([name, *(cells.get(column, "–") for column in table.columns)])


def _points(figure: Figure) -> dict[str, Table]:
    """Return a table for each set of curves that have the same points, by its heading."""
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for name, band in figure.curves.items():
        count = len(band.used)
        shown = sorted({round(index * (count - 1) / (SHOWN_POINTS - 1)) for index in range(SHOWN_POINTS)})
        cells = {f"{band.used[index]:,.0f}": f"{band.mean[index]:.3f}" for index in shown}
        tables.setdefault(" ".join(cells), {})[name] = cells
    return {f"{', '.join(rows)}, after so many {figure.unit}": Table("", rows) for rows in tables.values()}


def _row(cells: list[str], *, is_text: bool = True) -> str:
    return f"| {' | '.join(map(_plain, cells) if is_text else cells)} |"


def _plain(text: str) -> str:
    """Return the text in one line, with all markup escaped: Markdown lets HTML through, and a bar ends a cell."""
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", printable(" ".join(text.split())))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
