"""What the page shows of a run, as values of JSON: facts, attempts in columns, traced rows, answers and sums.

Everything is read from the run folder, which is never written to. Older folders lack files and fields; what is not
there is null or empty here.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from backsight.errors import RunFolderError
from backsight.reports.credit import credit_tables
from backsight.reports.lock import is_being_written
from backsight.reports.packed_lines import Row
from backsight.reports.run_folder import CONFIG, EVALUATIONS, MESSAGES, METRICS, TRAJECTORIES, RunReader, finite
from backsight.reports.view.lines import Window, read_news

FACTS = {"metrics": METRICS, "evaluations": EVALUATIONS, "messages": MESSAGES}
WINDOW = Window(newest_bytes=128 * 10**6, newest_lines=200_000, bytes_at_once=4 * 10**6)
"""The newest lines that a page takes, and those that it takes at once while the run goes on."""
LONGEST_TEXT = 200_000
"""Most characters of a prompt or a completion that a page takes."""
MOST_TRACED = 500_000
"""Most tokens of the traced rows that are summed up, those of the newest steps first."""
COLUMNS = ("step", "group", "attempt", "turn", "reward", "advantage", "success", "num_tokens", "cut_off")


class RunData:
    """The contents of a run folder, as far as a page shows them."""

    def __init__(self, name: str, reader: RunReader) -> None:
        self.name, self.reader = name, reader
        self._credit: tuple[tuple[int, ...], Row] | None = None

    def facts(self, cursors: Mapping[str, str], window: Window = WINDOW) -> Row:
        """Return what is new of metrics, evaluations and messages since the cursors, and the state of the run.

        Raises:
            RunFolderError: when the folder is gone, or cannot be read.
        """
        folder = self.reader.folder
        if not self.reader.config.is_file():
            raise RunFolderError("run folder", folder, "is gone; open the folder in its new place")
        found: Row = {
            "name": self.name,
            "folder": str(folder.resolve()),
            "is_going_on": is_being_written(folder),
            "traced": self.reader.traces.steps(),
            "answered": self.reader.answers.steps(),
            "settings": _settings(self.reader.config, self.reader.config.stat().st_mtime_ns),
        }
        for name, file in FACTS.items():
            news = read_news(folder / file, cursors.get(name, ""), window)
            rows = metric_columns(news.rows) if name == "metrics" else news.rows
            found[name] = {**news.as_dict(), "rows": rows}
        return found

    def attempts(self, cursor: str, window: Window = WINDOW) -> Row:
        """Return the turns of attempts since the cursor, in columns."""
        news = read_news(self.reader.folder / TRAJECTORIES, cursor, window)
        return {**news.as_dict(), **turn_columns(news.rows)}

    def traces(self, step: int) -> list[Row]:
        """Return the traced rows of a step, without those that are none."""
        return [row for row in self.reader.traces.read(step) if _is_trace(row)]

    def answers(self, step: int) -> list[Row]:
        """Return the kept answers of an evaluation, without rows that are none."""
        return [row for row in self.reader.answers.read(step) if _is_answer(row)]

    def credit(self) -> Row:
        """Return where credit went in all, and which attempts were traced, with the method of each row."""
        steps = tuple(self.reader.traces.steps())
        if self._credit is None or self._credit[0] != steps:
            self._credit = steps, _credit(self.traces, steps)
        return self._credit[1]


def whole(window: Window) -> Window:
    """Return the window through which everything that it allows is read at once."""
    return replace(window, bytes_at_once=sys.maxsize)


def json_text(value: Any) -> str:
    """Return a value as JSON, with null for numbers that are not finite: a run folder may come from anywhere."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(finite(value), separators=(",", ":"), allow_nan=False)


def find_runs(folder: Path) -> dict[str, RunReader]:
    """Return the run folders by name: that at `folder` alone, or those that lie in it, as a comparison holds them.

    Raises:
        RunFolderError: when there is none.
    """
    inside = sorted({path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{CONFIG}")})
    if inside and not (folder / METRICS).exists():
        is_told_apart = len({path.name for path in inside}) == len(inside)
        named = ((path.name if is_told_apart else path.relative_to(folder).as_posix(), path) for path in inside)
        return {name: RunReader(path) for name, path in named}
    return {folder.resolve().name: RunReader(folder)}


def metric_columns(rows: Sequence[Row]) -> Row:
    """Return metrics as a column of steps, and one column for each name with null where a step has no value."""
    names = dict.fromkeys(name for row in rows for name in row if name != "step")
    return {
        "step": [row["step"] for row in rows],
        "values": {name: [_number(row.get(name)) for row in rows] for name in names},
    }


def turn_columns(rows: Sequence[Row]) -> Row:
    """Return turns as columns. Each prompt is kept once; `prompt` holds its place among the `prompts`."""
    places: dict[str, int] = {}
    prompts: list[Any] = []
    column = []
    for row in rows:
        prompt = _clipped(row.get("prompt"))
        key = prompt if isinstance(prompt, str) else json.dumps(prompt)
        if key not in places:
            places[key] = len(prompts)
            prompts.append(prompt)
        column.append(places[key])
    rewards = dict.fromkeys(name for row in rows for name in _named(row))
    return {
        "prompts": prompts,
        "prompt": column,
        "completion": [_clipped(said) if isinstance(said := row.get("completion"), str) else None for row in rows],
        "rewards": {name: [_number(_named(row).get(name)) for row in rows] for name in rewards},
        **{name: [_number(row.get(name)) for row in rows] for name in COLUMNS},
    }


def _named(row: Row) -> Mapping[str, Any]:
    """Return the named rewards of a turn; none where the row holds something else."""
    found = row.get("rewards")
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> float | int | None:
    """Return a number with six digits, as people read it, and 1 or 0 for true and false; None for anything else."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return int(value) if isinstance(value, int) else None


def _clipped(value: Any) -> Any:
    """Return a prompt or completion, with the texts in it cut to a length that a page can hold."""
    match value:
        case str() if len(value) > LONGEST_TEXT:
            return f"{value[:LONGEST_TEXT]}… ({len(value) - LONGEST_TEXT:,} more characters are in the run folder)"
        case list():
            return [_clipped(each) for each in value]
        case dict():
            return {name: _clipped(each) for name, each in value.items()}
    return value


def _is_trace(row: Row) -> bool:
    """Return whether a row has what is shown of each token."""
    lists = [row.get(name) for name in ("pieces", "push", "turns", "prompts", "places", "alternatives")]
    if not all(isinstance(each, list) for each in lists) or not isinstance(row.get("feedback"), dict):
        return False
    is_whole = len(row["pieces"]) == len(row["push"]) == sum(row["turns"])
    return is_whole and _are_texts([row.get("method"), *row["pieces"]])


def _is_answer(row: Row) -> bool:
    """Return whether a row has what is shown of an answer."""
    lists = [row.get(name) for name in ("prompts", "completions")]
    return all(isinstance(each, list) for each in lists) and _are_texts([row.get("split"), *row["completions"]])


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(each, str) for each in values)


@lru_cache(maxsize=256)
def _settings(path: Path, written_at: int) -> list[list[str]]:
    """Return the settings of a file that was written at this time, as pairs of a dotted key and a value."""
    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, yaml.YAMLError):
        return [[path.name, "cannot be read"]]
    return [[name, value] for name, value in _flat("", held)]


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, own in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), own)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, default=str)


def _credit(traces: Callable[[int], list[Row]], steps: Sequence[int]) -> Row:
    index: list[list[Any]] = []
    summed: list[int] = []

    def rows() -> Iterator[Row]:
        left = MOST_TRACED
        for step in reversed(steps):
            if left <= 0:
                return
            own = traces(step)
            left -= sum(len(row["pieces"]) for row in own)
            summed.append(step)
            for row in own:
                index.append([step, row["group"], row["attempt"], row["method"]])
                yield row

    tables = [each.as_dict() for each in credit_tables(rows())]
    return {"tables": tables, "index": index, "steps": sorted(summed), "left_out": len(steps) - len(summed)}
