"""The command `backsight view`."""

from __future__ import annotations

import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.streams import note
from backsight.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backsight.reports.run_folder import RunReader

RUN = typer.Argument(metavar="RUN", help="A run folder, or a folder that holds some, such as a comparison.")


def view(
    run: Annotated[Path, RUN],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write the page to one file instead, which can be sent.")
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", help="Port of the page; 0 takes one that is free.")] = 0,
    host: Annotated[str, typer.Option(metavar="H", help="Address at which the page is opened.")] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open nothing.")] = False,
) -> None:
    """Look at a run in the browser: its curves, attempts and tokens, also while it goes on."""
    from backsight.reports.view.data import find_runs

    runs = find_runs(run)
    if html is not None:
        _write(run.resolve().name, runs, html)
        return
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        remedy = "the live page needs it; pip install 'backsight[view]', or write a file with --html FILE.html"
        raise ConfigError("view", "Starlette or uvicorn is not installed", remedy)
    from backsight.reports.view.asking import Explainers
    from backsight.reports.view.server import bind, serve

    address = bind(host, port)
    print(f"{', '.join(runs)}: {address.url}" if len(runs) == 1 else f"{len(runs)} runs: {address.url}")
    note("Ctrl-C ends the view; nothing is written to the run folder")
    if not no_browser and not _open(address.url):
        note("no browser was found; open the address in one")
    serve(address, run, Explainers(_explain_answer, _explain_attempt))


def _write(title: str, runs: Mapping[str, RunReader], html: Path) -> None:
    from backsight.disk import disk_errors
    from backsight.reports.files import check_new_file, size_text
    from backsight.reports.view.data import RunData
    from backsight.reports.view.page import whole_page

    check_new_file("html", html, [".html"])
    page = whole_page(title, {name: RunData(name, reader) for name, reader in runs.items()})
    with disk_errors(html, "choose another place"), html.open("x", encoding="utf-8") as file:
        file.write(page)
    print(f"written: {html} ({size_text(html.stat().st_size)})")


def _open(url: str) -> bool:
    """Open a page in the user's browser; return False when there is none."""
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def _explain_answer(folder: Path, prompt: str, completion: str) -> dict[str, object]:
    from backsight.reports.packed_lines import plain
    from backsight.runs.explain import explain_answer

    return dict(plain(explain_answer(folder, prompt, completion).as_dict()))


def _explain_attempt(folder: Path, step: int, group: int, attempt: int) -> dict[str, object]:
    from backsight.cli.explain import effect_as_dict
    from backsight.runs.explain import explain_attempt

    return effect_as_dict(*explain_attempt(folder, step, group, attempt))
