"""The page in one file: its style, its scripts and, where there is no server, its data.

A browser is told to run the script and to use the style that it knows by their hashes, and nothing else; text becomes
part of the page through `textContent` alone, which the browser enforces as well (`require-trusted-types-for`). Data are
gzipped JSON in base64, so that no text of a model stands in the file as it is. They are unpacked when they are needed.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from backsight.reports.packed_lines import Row
from backsight.reports.view.data import WINDOW, RunData, json_text, whole

SCRIPTS = (
    "vendor/uPlot.iife.min.js",
    "base.js",
    "source.js",
    "store.js",
    "filter.js",
    "diff.js",
    "charts.js",
    "text.js",
    "tokens.js",
    "overview.js",
    "runs.js",
    "list.js",
    "attempts.js",
    "step.js",
    "attempt.js",
    "traced.js",
    "asking.js",
    "evaluations.js",
    "credit.js",
    "main.js",
)
"""The scripts, in the order in which they are run."""
STYLES = ("vendor/uPlot.min.css", "page.css", "run.css", "attempt.css", "phone.css")
MOST_PACKED = 40 * 10**6
"""Most bytes of traced rows and answers, packed, in a page without a server; the newest steps are taken first."""


def whole_page(title: str, runs: Mapping[str, RunData]) -> str:
    """Return a page that holds what it shows of these runs."""
    return _page({"title": title, "is_live": False, "runs": list(runs)}, dict(_packed(runs.values())))


def live_page(title: str) -> str:
    """Return a page that asks its server for what it shows."""
    return _page({"title": title, "is_live": True}, {})


def _page(source: Row, packed: Mapping[str, str]) -> str:
    script = "\n".join(map(_asset, SCRIPTS))
    style = "\n".join(map(_asset, STYLES))
    names = {name: f"block-{number}" for number, name in enumerate(packed)}
    data = [("source", _pack(source | {"blocks": names})), *((names[name], text) for name, text in packed.items())]
    parts = {
        "policy": _policy(script, style, source["is_live"]),
        "style": style,
        "script": script,
        "data": "\n".join(f'<script type="application/json" id="{name}">"{text}"</script>' for name, text in data),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _asset("view.html"))


def _policy(script: str, style: str, is_live: bool) -> str:
    rules = [
        "default-src 'none'",
        f"script-src '{_hash(script)}'",
        f"style-src '{_hash(style)}'",
        "connect-src 'self'" if is_live else "connect-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    return "; ".join(rules)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return files("backsight.reports.view").joinpath("assets", name).read_text(encoding="utf-8")


def _packed(runs: Iterable[RunData]) -> Iterator[tuple[str, str]]:
    """Yield what a page without a server holds, by name. Old traces are left out where room is short."""
    every, left = list(runs), MOST_PACKED
    for run in every:
        yield f"facts {run.name}", _pack(run.facts({}, whole(WINDOW)))
        yield f"attempts {run.name}", _pack(run.attempts("", whole(WINDOW)))
        yield f"credit {run.name}", _pack(run.credit())
    for name, read in _stepwise(every):
        text = _pack(read())
        left -= len(text) * 3 // 4
        if left < 0:
            return
        yield name, text


def _stepwise(runs: Sequence[RunData]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the names of what is held by step, and how it is read; the first are left out last."""
    for run in runs:
        answered = run.reader.answers.steps()
        for step in sorted(answered, key=lambda each: (each not in (answered[0], answered[-1]), -each)):
            yield f"answers {run.name} {step}", partial(run.answers, step)
    for run in runs:
        for step in reversed(run.reader.traces.steps()):
            yield f"traces {run.name} {step}", partial(run.traces, step)


def _pack(value: Any) -> str:
    return base64.b64encode(gzip.compress(json_text(value).encode(), compresslevel=6, mtime=0)).decode()
