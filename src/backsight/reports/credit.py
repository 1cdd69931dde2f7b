"""Where credit went in all: how much a run pushed at which positions, tokens, turns, methods, sources and prompts.

What is summed is the push on each token of the traced rows (see `backsight.traces.Trace`): what made it more likely and
what made it less likely, apart. In each traced step these rows are those of one group, drawn at random among the groups
that taught something, so that shares of them are shares of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

MOST_NAMES = 40
"""Most rows of a table; the rest is one row."""
OTHERS = "all others"
LONGEST_NAME = 200
TITLES = {
    "position": "By position in the response",
    "from_end": "By distance from the end",
    "token": "By token",
    "turn": "By turn",
    "method": "By method",
    "source": "By who gave feedback",
    "prompt": "By prompt",
}
"""The tables, by what they sort tokens by."""

Row = Mapping[str, Any]


@dataclass(slots=True)
class Credit:
    """What went to the tokens that have something in common."""

    name: str
    up: float = 0.0
    """Sum of the pushes that made tokens more likely."""
    down: float = 0.0
    """Sum of the pushes that made tokens less likely, as a number above zero."""
    num_tokens: int = 0

    @property
    def size(self) -> float:
        return self.up + self.down

    def add(self, push: float) -> None:
        """Count a token with its push."""
        if push > 0:
            self.up += push
        else:
            self.down -= push
        self.num_tokens += 1

    def join(self, other: Credit) -> None:
        """Count what another one has counted."""
        self.up += other.up
        self.down += other.down
        self.num_tokens += other.num_tokens


@dataclass(frozen=True, slots=True)
class CreditTable:
    """The sums by one thing, the largest first, or in their order where they have one."""

    by: str
    title: str
    rows: list[Credit]

    @property
    def total(self) -> float:
        """The sum over all rows: what a share is a share of."""
        return sum(each.size for each in self.rows)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "total": self.total}


def credit_tables(rows: Iterable[Row]) -> list[CreditTable]:
    """Sum the pushes of traced rows, which are rows of JSON as `backsight.reports.trace_rows.trace_row` makes them."""
    sums: dict[str, dict[str, Credit]] = {by: {} for by in TITLES}
    for row in rows:
        for push, names in _tokens(row):
            for by, name in names.items():
                if (own := sums[by].get(name)) is None:
                    own = sums[by][name] = Credit(name)
                own.add(push)
    return [CreditTable(by, TITLES[by], _ordered(by, list(own.values()))) for by, own in sums.items()]


def _tokens(row: Row) -> Iterator[tuple[float, dict[str, str]]]:
    """Yield the push on each token of a row, and what the token is named in each table."""
    sources = row.get("feedback", {}).get("sources") or ["nobody"]
    of_row = {
        "method": row["method"],
        "source": ", ".join(sources),
        "prompt": str(row["prompts"][0] if row["prompts"] else "")[:LONGEST_NAME],
    }
    place = 0
    for turn, length in enumerate(row["turns"]):
        for position in range(length):
            push, piece = row["push"][place], row["pieces"][place]
            place += 1
            yield (
                push or 0.0,
                {
                    **of_row,
                    "position": bucket(position + 1),
                    "from_end": bucket(length - position),
                    "token": piece[:LONGEST_NAME],
                    "turn": str(turn + 1),
                },
            )


@cache
def bucket(position: int) -> str:
    """Return the range of positions, counted from 1, that a position is in: each is twice as wide as the one before."""
    high = 1 << (position - 1).bit_length()
    low = high // 2 + 1
    return f"{low}–{high}" if low < high else str(high)


def _ordered(by: str, rows: list[Credit]) -> list[Credit]:
    if by in ("position", "from_end", "turn"):
        return sorted(rows, key=lambda each: int(each.name.partition("–")[0]))
    rows.sort(key=lambda each: -each.size)
    if len(rows) > MOST_NAMES:
        others = Credit(OTHERS)
        for each in rows[MOST_NAMES:]:
            others.join(each)
        rows[MOST_NAMES:] = [others]
    return rows
