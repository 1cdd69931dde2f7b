"""Debian's Chromium, driven by Playwright: one for all tests, a fresh context for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium")
WANTED = "needs Debian's Chromium and Playwright: apt-get install chromium; pip install -e '.[browser]'"
READY = "html[data-ready]"
"""What the page is once its data are there."""
DESK = {"width": 1280, "height": 900}

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser. Skips where there is none; on a CI machine it fails.

    It is gone with the last test of the module: Playwright has an event loop in this thread for as long as it is open.
    """
    if CHROMIUM is None or find_spec("playwright") is None:
        if os.environ.get("CI") == "true":
            pytest.fail(WANTED)
        pytest.skip(WANTED)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open an address, and wait until its data are there. Whatever the page complains of fails the test."""
    contexts, complaints = [], []

    def open_at(address: str, viewport: dict[str, int] = DESK, color_scheme: str = "light") -> Page:
        context = browser.new_context(viewport=viewport, color_scheme=color_scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(address)
        page.wait_for_selector(READY, state="attached")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are left for people: the folder in BACKSIGHT_SHOTS, or a temporary one."""
    asked = os.environ.get("BACKSIGHT_SHOTS")
    folder = Path(asked) if asked else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
