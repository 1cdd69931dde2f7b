"""The page in one file: what may run in it, what it holds, and that nothing of a model stands in it as it is."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from benchmarks.view.made_run import append_rows, attempt_row, make_run

from backsight.reports.run_folder import TRAJECTORIES, RunReader
from backsight.reports.view import page
from backsight.reports.view.data import RunData
from backsight.reports.view.page import SCRIPTS, live_page, whole_page

MARKUP = r"(inner|outer|Adjacent)HTML|document\.write|\beval\(|new Function"
ASSETS = files("backsight.reports.view").joinpath("assets")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "made", num_steps=6)


def of(folder: Path) -> dict[str, RunData]:
    return {"made": RunData("made", RunReader(folder))}


def unpack(html: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">"([\w+/=]*)"</script>', html)
    assert found, name
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def block(html: str, name: str) -> Any:
    return unpack(html, unpack(html, "source")["blocks"][name])


def hash_of(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.mark.parametrize("is_live", [True, False])
def test_the_browser_may_run_what_it_knows_by_its_hash_alone(folder: Path, is_live: bool) -> None:
    html = live_page("made") if is_live else whole_page("made", of(folder))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    rules = dict(each.strip().split(" ", 1) for each in policy[1].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{hash_of(script)}'"
    assert rules["style-src"] == f"'sha256-{hash_of(style)}'"
    assert rules["connect-src"] == ("'self'" if is_live else "'none'")
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy[1]


def test_nothing_is_loaded_from_elsewhere(folder: Path) -> None:
    html = whole_page("made", of(folder))
    assert not re.search(r"(src|href)=\"(?!#|data:,)", html)
    assert not re.search(r"style=\"|\son\w+=\"", html)


def test_text_never_becomes_markup() -> None:
    for name in SCRIPTS:
        text = ASSETS.joinpath(name).read_text(encoding="utf-8")
        assert not re.search(MARKUP, text), name


def test_each_script_is_small_and_in_the_page() -> None:
    own = {path.name for path in ASSETS.iterdir() if path.name.endswith(".js")}
    assert own == {name for name in SCRIPTS if not name.startswith("vendor/")}
    assert all(len(ASSETS.joinpath(name).read_text(encoding="utf-8").splitlines()) < 300 for name in own)


def test_every_asset_comes_with_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["backsight.reports.view"]
    root = Path(str(ASSETS)).parent
    packed = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    assert packed == {path for path in Path(str(ASSETS)).rglob("*") if path.is_file()}


def test_what_a_model_wrote_stands_in_no_file_as_it_is(folder: Path) -> None:
    hostile = '</script><script>alert(1)</script><!-- "\u2028\x00'
    append_rows(folder / TRAJECTORIES, [attempt_row(6, 9, 0, hostile, prompt=hostile)])
    html = whole_page(hostile, of(folder))
    assert "alert(1)" not in html
    assert html.count("<script>") == 1
    held = block(html, "attempts made")
    assert held["completion"][-1] == held["prompts"][-1] == hostile


def test_the_file_holds_the_run(folder: Path) -> None:
    html = whole_page("made", of(folder))
    assert unpack(html, "source")["is_live"] is False
    assert block(html, "facts made")["traced"] == [1, 5]
    assert len(block(html, "attempts made")["step"]) == 6 * 4 * 8
    assert {row["method"] for row in block(html, "traces made 5")} == {"outcome", "relabel"}
    assert len(block(html, "answers made 0")) == 40
    assert block(html, "credit made")["steps"] == [1, 5]


def test_a_live_page_holds_nothing_but_its_title() -> None:
    assert unpack(live_page("a </title> b"), "source") == {"title": "a </title> b", "is_live": True, "blocks": {}}


def test_where_room_is_short_the_newest_traces_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = unpack(whole_page("made", of(folder)), "source")["blocks"]
    assert {"traces made 1", "traces made 5", "answers made 0", "answers made 6"} <= set(blocks)
    run = of(folder)["made"]
    sizes = [len(page._pack(each)) * 3 // 4 for each in (run.answers(0), run.answers(6), run.traces(5))]
    monkeypatch.setattr(page, "MOST_PACKED", sum(sizes))
    blocks = unpack(whole_page("made", of(folder)), "source")["blocks"]
    assert "traces made 5" in blocks
    assert "traces made 1" not in blocks


def test_vendored_files_are_those_that_were_published() -> None:
    vendor = ASSETS.joinpath("vendor")
    sums = dict(re.findall(r"\| `([\w.]+)` \| `([0-9a-f]{64})` \|", vendor.joinpath("README.md").read_text("utf-8")))
    assert len(sums) == 2
    for name, expected in sums.items():
        assert hashlib.sha256(vendor.joinpath(name).read_bytes()).hexdigest() == expected
