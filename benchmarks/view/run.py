"""How quick the page of a long run is, in Debian's Chromium.

    python benchmarks/view/run.py              100,000 attempts, two minutes
    python benchmarks/view/run.py --quick      10,000 attempts; no results are written

A run folder is made up, written into one file by `backsight view --html`, and served by `backsight view`. Each form is
opened several times: the first paint with words, the first curves, and the moment from which all attempts can be
searched are timed in the browser, and then filters over all attempts. It needs Chromium and the extra
`browser`: apt-get install chromium; pip install -e '.[browser]'. The results are written to
``benchmarks/results/view.json``.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])  # run as a script, `benchmarks` is a package of the repository

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.shared.results import Figure, print_aims, write_results
from benchmarks.view.made_run import SIBLINGS, make_run

ATTEMPTS, QUICK_ATTEMPTS = 100_000, 10_000
GROUPS = 64
LONGEST = 20
"""Most sentences of an attempt; ten are 350 characters."""
REPEATS = 5
FIRST_PAINT, FILTER = 1.5, 0.3
"""Aims, in seconds."""
COMMAND = [sys.executable, "-m", "backsight", "view"]
WATCH = """
new MutationObserver((_, own) => {
  if (!document.querySelector('canvas')) return;
  window.curvesAt = performance.now();
  own.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
FILTERS = {
    "search": "q=the+baker",
    "search by a regular expression": "q=%5E%28the+baker%7Csome%29.*bridges&regex=1",
    "by reward and length": "reward_from=0.5&tokens_from=10",
    "silent groups": "groups=silent",
    "sort by reward": "order=highest+reward",
    "search, filter and sort": "q=river&groups=teaching&reward_from=0.5&order=longest",
}
OPENING = """
() => [
  performance.getEntriesByName('first-contentful-paint')[0].startTime,
  window.curvesAt,
  Number(document.documentElement.dataset.ready),
]
"""
TIME_FILTER = """
(words) => {
  const store = new URLSearchParams(location.hash.split('?')[1]).get('run');
  const begun = performance.now();
  history.replaceState(null, '', `#/attempts?${words}&run=${store}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  document.querySelector('.list').offsetHeight;
  return (performance.now() - begun) / 1000;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10,000 attempts; nothing is written")
    quick = parser.parse_args().quick
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("error: chromium: is not installed: apt-get install chromium")
    console = Console()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        num_steps = (QUICK_ATTEMPTS if quick else ATTEMPTS) // (GROUPS * SIBLINGS) + 1
        folder = make_run(Path(place) / "made", num_steps, GROUPS, traced_every=5, longest=LONGEST)
        page, seconds = write_page(folder)
        figures = [
            Figure("attempts", num_steps * GROUPS * SIBLINGS, None, "attempts"),
            Figure("page in one file, size", page.stat().st_size / 1e6, None, "MB"),
            Figure("page in one file, time to write", seconds, None, "s"),
        ]
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        figures += time_form("one file", page.as_uri(), browser)
        with served(folder) as address:
            figures += time_form("served", address, browser)
        browser.close()
    console.print(table(figures))
    print_aims(console, figures)
    if not quick:
        print(f"written: {write_results('view', [0], figures)}")


def write_page(folder: Path) -> tuple[Path, float]:
    """Write the page of a run into one file; return the file and the seconds that it took."""
    path, begun = folder.with_suffix(".html"), time.monotonic()
    subprocess.run([*COMMAND, str(folder), "--html", str(path)], check=True, capture_output=True)
    return path, time.monotonic() - begun


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a run, and yield the address."""
    words = [*COMMAND, str(folder), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().rpartition(" ")[2].strip()
        finally:
            server.terminate()


def time_form(form: str, address: str, browser: Browser) -> list[Figure]:
    """Open a page several times, and time it and its filters."""
    times: dict[str, list[float]] = {"first paint": [], "first curves": [], "attempts are there": []}
    filters: dict[str, list[float]] = {name: [] for name in FILTERS}
    for _ in range(REPEATS):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH)
        page.goto(address, wait_until="commit")
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        for name, seconds in opening_times(page).items():
            times[name].append(seconds)
        for name, words in FILTERS.items():
            filters[name].append(float(page.evaluate(TIME_FILTER, words)))
        page.close()
    opened = [Figure.of_repeats(f"{form}: {name}", own, "s") for name, own in times.items()]
    filtered = [
        Figure.of_repeats(f"{form}: {name}", own, "s").hold_against("<=", FILTER) for name, own in filters.items()
    ]
    return [opened[0].hold_against("<=", FIRST_PAINT), opened[1].hold_against("<=", FIRST_PAINT), opened[2], *filtered]


def opening_times(page: Page) -> dict[str, float]:
    """Return when a page was painted and could be used, in seconds since it was asked for."""
    painted, curves, ready = page.evaluate(OPENING)
    return {"first paint": painted / 1e3, "first curves": curves / 1e3, "attempts are there": ready / 1e3}


def table(figures: list[Figure]) -> Table:
    made = Table("what", "median", "lowest to highest", title="the page of a long run")
    for each in figures:
        interval = "{:.3f} to {:.3f}".format(*each.interval) if each.interval else "–"
        made.add_row(each.row, f"{each.value:,.3f} {each.unit}", interval)
    return made


if __name__ == "__main__":
    main()
