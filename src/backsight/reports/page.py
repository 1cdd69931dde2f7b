"""A report as one HTML page that stands alone: no script, nothing loaded from elsewhere, and all text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from backsight.reports.curves import as_html, curves_svg
from backsight.reports.document import Report, Table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 960px; margin: 2em auto; padding: 0 20px; }
h1 { font-size: 1.5em; }
h2 { font-size: 1.1em; margin: 2em 0 .5em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; }
dt, p { color: #555; }
dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3em .9em; text-align: right; border-bottom: 1px solid #e4e4e4; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 600; white-space: nowrap; }
svg { width: 100%; height: auto; }
"""
POLICY = f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""Content security policy of the page: a browser may load the style above, which it knows by its hash, and nothing
else."""


def page(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY, quote=False)}">'
    yield '<meta name="viewport" content="width=device-width">'
    yield f"<title>{as_html(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{as_html(report.title)}</h1>\n<dl>"
    yield from (f"<dt>{as_html(name)}</dt><dd>{as_html(fact)}</dd>" for name, fact in report.facts.items())
    yield "</dl>"
    yield from (f"<p>{as_html(note)}</p>" for note in report.notes)
    for part in report.parts:
        yield f"<h2>{as_html(part.title)}</h2>"
        if isinstance(part, Table):
            yield from _table(part)
        else:
            yield curves_svg(part)
        if part.note:
            yield f"<p>{as_html(part.note)}</p>"
    yield "</body>\n</html>"


def _table(table: Table) -> Iterator[str]:
    heads = "".join(f"<th>{as_html(column)}</th>" for column in table.columns)
    yield f'<div class="wide"><table>\n<thead><tr><th></th>{heads}</tr></thead>\n<tbody>'
    for name, cells in table.rows.items():
        texts = "".join(f"<td>{as_html(cells.get(column, '–'))}</td>" for column in table.columns)
        yield f"<tr><th>{as_html(name)}</th>{texts}</tr>"
    yield "</tbody>\n</table></div>"
