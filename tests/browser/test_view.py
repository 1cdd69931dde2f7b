"""The page of a run in a real browser: clicked through, searched, listened to, and shown what is hostile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from benchmarks.view.made_run import append_rows, attempt_row, make_run, trace_row

from backsight.errors import ConfigError
from backsight.reports.lock import only_writer
from backsight.reports.packed_lines import PackedFolder, Row
from backsight.reports.run_folder import MESSAGES, METRICS, TRAJECTORIES
from backsight.reports.view.asking import Explainers
from backsight.reports.view.data import RunData, find_runs
from backsight.reports.view.page import whole_page
from backsight.reports.view.server import bind, make_app

Open = Callable[..., Any]
PHONE = {"width": 360, "height": 740}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HOSTILE = [
    "<script>window.hurt = 1; alert(1)</script><img src=x onerror='window.hurt = 2'>",
    "\x1b[31mred\x1b[0m and a bell \x07",
    "left \u202eto right\u202c and \u2066isolated\u2069",
    "null \x00 byte, lone \ud800 surrogate",
    "emoji 👩‍👩‍👧 🇪🇺, 漢字, \u0639\u0631\u0628\u064a",
    "x" * 1_000_000,
    "</script></style>{{data}} ${1} `back` \\u003c",
    "",
]


def write_page(folder: Path) -> str:
    """Write the page of a folder into one file, and return its address."""
    path = folder.with_suffix(".html")
    runs = {name: RunData(name, reader) for name, reader in find_runs(folder).items()}
    path.write_text(whole_page(folder.name, runs), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page of a run that nobody trained, in one file."""
    return write_page(make_run(tmp_path_factory.mktemp("runs") / "made", num_steps=40))


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a folder, and return the address."""
    servers = []

    def answer(folder: Path, prompt: str, completion: str) -> Row:
        row = {"step": 1, "effect": 0.5, "method": "outcome", "attempt": [0, 1], "prompt": prompt, "reward": 1.0}
        found = {**row, "response": completion, "feedback": "good", "sources": ["judge"]}
        sums = {"by_method": {"outcome": 0.5}, "by_source": {"judge": 0.5}}
        return {"what": completion, "steps": {"1": 0.5}, "rows": [found], "notes": ["step 1 changed"], **sums}

    def attempt(folder: Path, step: int, group: int, number: int) -> Row:
        if number:
            raise ConfigError("attempt", f"{step}/{group}/{number}", "has no feedback")
        said = {"sentences": ["Leave the cat out.", "Say more."], "by_sentence": [[-1.0, 0.0], [0.0, 0.5]]}
        return {"pieces": ["The", " cat"], "hint": "Leave the cat out. Say more.", "whole": [-1.0, 0.5], **said}

    def begin(folder: Path) -> str:
        address = bind("127.0.0.1", 0)
        app = make_app(address, folder, Explainers(answer, attempt))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, daemon=True)
        thread.start()
        servers.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return address.url

    yield begin
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)


def test_the_run_at_a_glance(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(made)
    assert page.title() == "made · backsight"
    assert page.locator("figure.chart:visible canvas").count() == 12
    assert page.get_by_text("Stopped: max_steps=40 reached.").is_visible()
    assert "adapter=auto: all weights are trained" in page.locator(".messages").inner_text()
    page.locator("summary", has_text="Settings").click()
    assert page.get_by_role("cell", name="hindsight.name").is_visible()
    page.screenshot(path=shots / "run.png", full_page=True)


def test_from_a_point_to_its_step_its_group_its_attempt(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(made)
    plot = page.locator("figure", has_text="Reward").locator(".plot").first
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] / 2, "y": 60})
    page.wait_for_selector("h1:has-text('Step ')")
    page.goto(f"{made}#/step?step=5")
    page.screenshot(path=shots / "step.png")
    page.get_by_role("link", name="0", exact=True).first.click()
    page.wait_for_selector("h1:has-text('Group 0')")
    assert page.locator(".sibling").count() == 8
    page.get_by_label("compare word by word with").select_option(label="attempt 0")
    assert page.locator(".sibling ins").count() > 5
    page.screenshot(path=shots / "group.png")
    page.get_by_role("link", name="attempt 1").click()
    page.wait_for_selector("h1:has-text('Attempt 1')")
    page.wait_for_selector(".traced")
    assert page.locator(".traced").count() == 2
    page.screenshot(path=shots / "attempt.png", full_page=True)


def test_a_point_is_opened_by_keys(open_page: Open, made: str) -> None:
    page = open_page(made)
    page.locator(".plot").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#spoken:has-text('step 2: ')", state="attached")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Step 2')")


def test_curves_can_be_read_as_a_table(open_page: Open, made: str) -> None:
    page = open_page(made)
    page.locator("figure", has_text="Entropy").locator("summary").click()
    table = page.locator("figure", has_text="Entropy").locator("table")
    table.wait_for()
    assert table.locator("tbody tr").count() == 40
    table.get_by_role("link", name="40").click()
    page.wait_for_selector("h1:has-text('Step 40')")


def count(page: Any) -> int:
    return int(page.locator(".count").inner_text().split(" ")[0].replace(",", ""))


def test_attempts_are_searched_filtered_and_sorted(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(f"{made}#/attempts")
    assert count(page) == 40 * 4 * 8
    assert page.locator(".row").count() < 40
    page.screenshot(path=shots / "attempts.png")
    page.get_by_label("search").fill("the baker")
    some = count(page)
    assert 0 < some < 1280
    page.get_by_label("regular expression").check()
    page.get_by_label("search").fill("^(the baker|some old map)")
    assert some != count(page) > 0
    page.get_by_label("search").fill("(")
    assert "cannot be read" in page.locator(".count").inner_text()
    page.get_by_label("search").fill("")
    page.locator("summary", has_text="more filters").click()
    page.get_by_label("groups").select_option("silent")
    silent = count(page)
    page.get_by_label("groups").select_option("teaching")
    assert silent + count(page) == 1280
    page.get_by_label("groups").select_option("")
    page.get_by_label("reward from").fill("0.5")
    page.get_by_label("order").select_option("longest")
    page.wait_for_selector(".row")
    tokens = [int(row.split("\n")[-1]) for row in page.locator(".row .number:nth-of-type(3)").all_inner_texts()]
    assert tokens == sorted(tokens, reverse=True)
    page.get_by_label("method").select_option("relabel")
    assert 0 <= count(page) < 40
    assert "method=relabel" in page.evaluate("location.hash")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_selector("[name=method]")
    assert page.get_by_label("method").input_value() == "relabel"


def test_the_list_is_moved_in_by_keys(open_page: Open, made: str) -> None:
    page = open_page(f"{made}#/attempts?order=oldest")
    page.locator(".list").focus()
    page.keyboard.press("End")
    assert page.locator(".row[aria-selected=true] .place").inner_text() == "40/3/7"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Attempt 6')")


def test_tokens_are_coloured_and_described(open_page: Open, made: str) -> None:
    page = open_page(f"{made}#/attempt?step=5&group=0&attempt=3")
    card = page.locator(".traced").first
    card.locator(".token").nth(1).hover()
    assert "push of the update" in card.locator(".card").inner_text()
    assert "somebody" in card.locator(".alternatives").inner_text()
    assert card.locator(".cut").inner_text() == "cut off"
    card.get_by_label("colour by").select_option(label="held back by the clip")
    assert card.locator(".token.down").count() == 1
    card.get_by_label("colour by").select_option(label="teacher − policy")
    assert card.locator(".token.up").count() > 0
    card.locator(".tokens").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert "token " in card.locator(".looked-at").inner_text()
    card.locator("summary").click()
    card.locator("table").wait_for()
    assert card.locator("table tbody tr").count() == card.locator(".token").count()


def test_hindsight_is_made_visible(open_page: Open, made: str) -> None:
    page = open_page(f"{made}#/attempt?step=5&group=0&attempt=1")
    relabelled = page.locator(".traced").nth(1)
    assert relabelled.locator(".places .entered").inner_text() == "prompt"
    assert relabelled.locator("del").inner_text() == "harbour"
    assert relabelled.locator("ins").inner_text() == "market"
    assert "Leave the cat out. Say more." in page.locator(".feedback").inner_text()
    page.goto(f"{made}#/attempt?step=5&group=0&attempt=0")
    page.wait_for_selector("h1:has-text('Attempt 0')")
    assert "You were told: leave the cat out." in page.locator(".traced ins").first.inner_text()


def test_evaluations_are_compared_item_by_item(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(f"{made}#/evaluations")
    page.wait_for_selector(".item")
    assert "of 40 items" in page.locator(".count").inner_text()
    page.screenshot(path=shots / "evaluations.png", full_page=True)
    page.get_by_label("show").select_option("gained")
    page.wait_for_selector(".item.lost", state="detached")
    gained = page.locator(".item").count()
    assert gained == int(page.locator(".count").inner_text().split(" ")[0])
    page.get_by_label("split").select_option("in_domain")
    page.wait_for_selector(".count:has-text('of 20 items')")


def test_credit_is_shared_out(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(f"{made}#/credit")
    page.wait_for_selector("section.credit")
    assert [each for each in page.locator("section.credit h2").all_inner_texts() if each in ("By token", "By method")]
    page.screenshot(path=shots / "credit.png", full_page=True)


def test_what_a_model_wrote_stays_text(open_page: Open, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "hostile", num_steps=2, traced_every=9)
    rows = [attempt_row(3, 0, place, text, prompt=text[:900]) for place, text in enumerate(HOSTILE)]
    append_rows(folder / TRAJECTORIES, rows)
    append_rows(folder / MESSAGES, [{"step": 3, "message": HOSTILE[0]}])
    append_rows(folder / METRICS, [{"step": 3, "rewards/<b>bold</b>/mean": 1.0}])
    draw = random.Random(0)
    traced = [trace_row(3, place, text[:999], draw) for place, text in enumerate(HOSTILE)]
    PackedFolder(folder / "traces").write(3, [row | {"method": HOSTILE[0]} for row in traced])
    page = open_page(write_page(folder))
    for place in ("run", "attempts?order=newest", "step?step=3", "group?step=3&group=0", "credit"):
        page.evaluate(f"location.hash = '#/{place}'")
        page.wait_for_timeout(50)
    for place in range(len(HOSTILE)):
        page.evaluate(f"location.hash = '#/attempt?step=3&group=0&attempt={place}'")
        page.wait_for_selector(f"h1:has-text('Attempt {place}')")
        page.wait_for_selector(".traced")
    assert page.evaluate("window.hurt") is None
    assert page.locator("main img, main script, main b:has-text('bold')").count() == 0
    page.evaluate("location.hash = '#/group?step=3&group=0'")
    page.wait_for_selector(".sibling")
    said = page.locator(".sibling .words").all_inner_texts()
    assert said[0] == HOSTILE[0]
    assert said[1] == "\\x1b[31mred\\x1b[0m and a bell \\x07"
    assert said[2].startswith("left \\u202eto right\\u202c")
    assert said[3].startswith("null \\x00 byte")
    assert said[4] == HOSTILE[4]
    assert len(said[5]) < 7_000
    assert page.evaluate(SIDEWAYS) <= 0


def test_a_phone_scrolls_in_one_direction(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(made, viewport=PHONE)
    for place in ("run", "attempts", "step?step=5", "attempt?step=5&group=0&attempt=1", "evaluations", "credit"):
        page.evaluate(f"location.hash = '#/{place}'")
        page.wait_for_timeout(150)
        page.screenshot(path=shots / f"phone-{place.partition('?')[0]}.png")
        assert page.evaluate(SIDEWAYS) <= 0, place


def test_it_is_dark_where_the_user_wants_it_dark(open_page: Open, made: str, shots: Path) -> None:
    page = open_page(made, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    page.screenshot(path=shots / "dark.png")
    page.evaluate("location.hash = '#/attempt?step=5&group=0&attempt=1'")
    page.wait_for_selector(".traced")
    page.screenshot(path=shots / "dark-attempt.png", full_page=True)


def test_it_has_landmarks_and_every_control_a_name(open_page: Open, made: str) -> None:
    page = open_page(f"{made}#/attempts")
    for role in ("banner", "main", "navigation", "search"):
        assert page.get_by_role(role).count() == 1, role
    unnamed = """[...document.querySelectorAll('input, select, button, a')]
        .filter((each) => !each.labels?.length && !each.textContent.trim()).length"""
    assert page.evaluate(unnamed) == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_everything_is_reached_by_keys_alone(open_page: Open, made: str) -> None:
    page = open_page(made)

    def tab_to(wanted: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
                return
        raise AssertionError(f"{wanted} is not reached")

    tab_to("nav a:nth-child(2)")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Attempts')")
    tab_to("[name=q]")
    page.keyboard.type("the baker sells")
    tab_to(".list")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Attempt ')")
    assert "The baker sells" in page.locator(".message.of-model").first.inner_text()
    page.goto(f"{made}#/attempt?step=5&group=0&attempt=1")
    page.wait_for_selector(".traced")
    tab_to(".traced select")
    page.keyboard.press("ArrowDown")
    tab_to(".traced .tokens")
    page.keyboard.press("ArrowRight")
    assert "token 2 of" in page.locator(".traced .card").first.inner_text()


def test_episodes_of_several_turns_are_conversations(open_page: Open, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "turns", num_steps=1, traced_every=9)
    first = [{"role": "user", "content": "Guess my number."}]
    then = [*first, {"role": "assistant", "content": "Seven?"}, {"role": "user", "content": "Higher."}]
    append_rows(
        folder / TRAJECTORIES,
        [
            attempt_row(2, 0, 0, "Seven?", prompt=first, reward=0.0, cut_off=True),
            attempt_row(2, 0, 0, "Nine?", prompt=then, turn=1, reward=1.0, cut_off=True),
            attempt_row(2, 1, 0, None, prompt=[0.1, -2.0], reward=1.0),
            attempt_row(2, 1, 0, None, prompt=[0.2, -1.5], turn=1, reward=1.0),
        ],
    )
    row = trace_row(2, 0, "Seven? Nine?", random.Random(0)) | {"turns": [1, 1], "cut_off": True}
    chat, numbers = {"prompts": [first, then]}, {"group": 1, "prompts": [[0.1, -2.0], [0.2, -1.5]]}
    PackedFolder(folder / "traces").write(2, [row | chat | {"told": None}, row | numbers | {"told": None}])
    page = open_page(f"{write_page(folder)}#/attempt?step=2&group=0&attempt=0")
    page.wait_for_selector(".traced")
    asked, traced = page.locator("main > .conversation"), page.locator(".traced .conversation")
    for each in (asked, traced):
        assert each.locator(".role").all_inner_texts() == ["user", "model", "user", "model"]
        assert each.locator(".cut").count() == 1
    page.evaluate("location.hash = '#/attempt?step=2&group=1&attempt=0'")
    page.wait_for_selector(".traced")
    assert page.locator(".traced .wide tbody tr").first.locator(".token").inner_text() == "Seven?"
    page.locator(".traced .tokens").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".traced .token.here").inner_text() == " Nine?"
    assert page.locator("main table").first.locator("tbody tr").all_inner_texts()[1].startswith("2\t[0.2, -1.5]")


def test_an_older_run_says_what_is_missing(open_page: Open, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "older", num_steps=2, traced_every=9)
    for kept in ("traces", "answers"):
        PackedFolder(folder / kept).forget_after(-1)
    old = {"step": 3, "turn": 0, "prompt": "p", "rewards": {}, "reward": 1.0, "success": True, "advantage": 0.0}
    append_rows(folder / TRAJECTORIES, [{**old, "attempt": each % 2, "completion": f"c{each}"} for each in range(4)])
    page = open_page(write_page(folder))
    assert "No traces: tokens have no colours." in page.locator(".gaps").inner_text()
    assert "No answers of the evaluations were kept" in page.locator(".gaps").inner_text()
    page.evaluate("location.hash = '#/step?step=3'")
    page.wait_for_selector("h1:has-text('Step 3')")
    assert page.locator("main tbody tr").count() == 2
    page.evaluate("location.hash = '#/credit'")
    page.wait_for_selector("main .missing:has-text('no traces')")


def test_a_run_that_goes_on_is_followed(serve: Callable[[Path], str], open_page: Open, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "live", num_steps=3)
    with only_writer(folder):
        page = open_page(serve(folder))
        assert page.get_by_text("The run is going on").is_visible()
        append_rows(folder / METRICS, [{"step": 4, "reward": 0.777}])
        append_rows(folder / MESSAGES, [{"step": 4, "message": "something new"}])
        append_rows(folder / TRAJECTORIES, [attempt_row(4, 0, 0, "a new attempt")])
        page.wait_for_selector(".messages:has-text('something new')")
        assert "0.777" in page.locator(".tiles").inner_text()
        page.get_by_role("link", name="Attempts").click()
        page.wait_for_selector(".row:has-text('a new attempt')")
    page.wait_for_selector(".state:has-text('not going on')")


def test_questions_are_asked_and_answered(serve: Callable[[Path], str], open_page: Open, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "asked", num_steps=2)
    page = open_page(f"{serve(folder)}#/attempt?step=1&group=0&attempt=0")
    page.get_by_role("button", name="why this answer?").click()
    page.wait_for_selector(".asked table")
    assert "+0.5" in page.locator(".asked table").inner_text()
    assert "step 1 changed" in page.locator(".asked").inner_text()
    page.get_by_role("button", name="what does its feedback say of each token?").click()
    page.wait_for_selector(".asked .token")
    page.get_by_role("button", name="Say more.").click()
    assert page.locator(".asked .token.down").count() == 0
    assert page.locator(".asked .token.up").inner_text() == " cat"
    page.evaluate("location.hash = '#/attempt?step=1&group=0&attempt=1'")
    page.wait_for_selector("h1:has-text('Attempt 1')")
    page.get_by_role("button", name="what does its feedback say of each token?").click()
    page.wait_for_selector(".problem:has-text('attempt: 1/0/1: has no feedback')")


def test_runs_of_a_comparison_stand_in_one_picture(open_page: Open, tmp_path: Path, shots: Path) -> None:
    for seed, name in enumerate(("outcome-0", "relabel-0", "relabel-1")):
        make_run(tmp_path / "compared" / "runs" / name, num_steps=20, seed=seed)
    page = open_page(write_page(tmp_path / "compared"))
    assert page.locator("h1").inner_text() == "compared: 3 runs"
    assert page.locator("figure.chart:visible canvas").count() == 8
    assert "relabel-1" in page.locator("figure").first.inner_text()
    page.screenshot(path=shots / "comparison.png", full_page=True)
    page.get_by_role("link", name="relabel-0").click()
    page.wait_for_selector("h1:has-text('Run relabel-0')", state="attached")
    page.get_by_role("link", name="Attempts").click()
    page.wait_for_selector(".row")
    page.get_by_role("link", name="compared").click()
    page.wait_for_selector("h1:has-text('compared: 3 runs')")
