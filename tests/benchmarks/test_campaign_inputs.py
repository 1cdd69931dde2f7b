"""The campaign of bad inputs: what it makes, and what it calls right."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from benchmarks.campaign import inputs
from benchmarks.campaign.cases import Case, _fault, _loss
from benchmarks.campaign.kit import ROWS
from benchmarks.campaign.odd_values import JSON_VALUES, bend, bend_bytes

CASE = Case("part", "name", ["train"])
LINE = "error: data: d.jsonl: there is no such file\n"


@pytest.mark.parametrize(
    ("code", "err", "fault"),
    [
        (0, "", ""),
        (2, LINE, ""),
        (2, "/lib/a.py:3: UserWarning: unknown\n  warn()\n" + LINE, ""),
        (None, "", "hangs: no end after 20 s"),
        (1, 'Traceback (most recent call last):\n  File "a.py"\nKeyError: 3\n', "traceback: KeyError: 3"),
        (1, "error: backsight: KeyError: a fault\n", "exit code 1: error: backsight: KeyError: a fault"),
        (-9, "", "exit code -9: "),
        (2, "", "no line with field, value and remedy: "),
        (2, "error: it failed\n", "no line with field, value and remedy: error: it failed"),
        (2, "Usage: backsight\n" + LINE, "2 lines: Usage: backsight … " + LINE[:-1]),
        (2, LINE[:-1] + "\x1b[0m\n", f"control characters: {LINE[:-1] + chr(27) + '[0m'!r}"),
        (2, f"error: a: b: {'c' * 300}\n", f"a line of 313 characters: error: a: b: {'c' * 300}"),
    ],
)
def test_right_is_an_end_in_time_with_one_line(code: int | None, err: str, fault: str) -> None:
    assert _fault(CASE, code, "", err) == fault


def test_an_input_may_have_to_be_refused_or_accepted() -> None:
    assert _fault(Case("part", "name", [], is_fine=False), 0, "", "") == "accepted, and is wrong"
    assert _fault(Case("part", "name", [], is_fine=True), 2, "", LINE).startswith("refused, and is fine")


def test_no_file_may_be_lost_or_changed() -> None:
    assert _loss({"a": "1"}, {"a": "1", "b": "2"}, 2) == ""
    assert _loss({"a": "1"}, {}, 0) == "lost: a"
    assert _loss({"a": "1"}, {"a": "2"}, 2) == "changed: a"
    assert _loss({"run/answers/step-000002.jsonl.gz": "1"}, {}, 0) == ""
    assert _loss({"run/answers/step-000000.jsonl.gz": "1"}, {}, 0) == "lost: run/answers/step-000000.jsonl.gz"
    assert _loss({"run/answers/step-000002.jsonl.gz": "1"}, {}, 2) == "lost: run/answers/step-000002.jsonl.gz"


def test_what_is_bent_is_drawn_from_the_seed() -> None:
    rows = ROWS["logs"]
    once, again = (bend(rows, random.Random(3), 5) for _ in range(2))
    assert json.dumps(once) == json.dumps(again) != json.dumps(rows)
    assert bend_bytes(b"a" * 99, random.Random(3)) == bend_bytes(b"a" * 99, random.Random(3))
    assert all(json.dumps(value) for value in JSON_VALUES)


@pytest.mark.slow
def test_every_part_tries_its_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "QUICK", 2)
    outcomes = list(inputs.try_inputs(tmp_path, tmp_path, seed=0, quick=True))
    assert [outcome.part for outcome in outcomes] == [part for part in inputs.generators() for _ in range(2)]
    assert [outcome.fault for outcome in outcomes] == [""] * len(outcomes)
