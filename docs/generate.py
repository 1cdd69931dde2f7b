"""Write the parts of these pages that are known to the code: `python docs/generate.py` (a test keeps them current).

settings.md    every setting with its default and meaning, from the classes of settings
concepts.md    the table of algorithms, between its marks
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import PydanticUndefined

from backsight.config import RunConfig
from backsight.hindsight.catalogue import METHODS, PLACES
from backsight.hindsight.options import MethodOptions, name_of
from backsight.rollouts.engines import ENGINES
from backsight.settings import Settings, by_name, group_of
from backsight.training.algorithms import ALGORITHMS
from backsight.training.config import TrainingConfig

DOCS = Path(__file__).parent
MARK = "<!-- {name}: made by docs/generate.py -->"
END = "<!-- /{name} -->"
HEAD = """# Settings

<!-- made by docs/generate.py from the classes of settings; change those -->

Every setting of a run, with its default and its meaning. Presets start from other values: `backsight train PRESET
--dry-run` prints what a run would use. Set one with `key=value`, several in a YAML file (`--config FILE.yaml`), or by
name in Python. Names are those of TRL and transformers where they have one.
"""


def write_pages(folder: Path = DOCS) -> None:
    """Write what is generated into the pages of the folder."""
    (folder / "settings.md").write_text(make_settings_page())
    _fill(folder / "concepts.md", "algorithms", make_algorithms_table())
    _fill(folder / "methods.md", "options", make_options_of_methods())


def _fill(page: Path, name: str, text: str) -> None:
    """Put the text between the marks of this name."""
    mark, end = MARK.format(name=name), END.format(name=name)
    before, _, rest = page.read_text().partition(mark)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{mark}\n\n{text.strip()}\n\n{end}{after}")


def make_algorithms_table() -> str:
    """Make a row for each algorithm."""
    lines = [
        "| `algorithm=` | estimator | loss | bounds of the ratio | averaged by | source |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in ALGORITHMS.items():
        bounds = f"1 - {own.epsilon:g}, 1 + {own.epsilon_high:g}"
        reduction = own.reduction.replace("_", " ")
        lines.append(
            f"| `{name}` | {own.estimator} | `{own.loss_type}` | {bounds} | {reduction} | {_cell(own.source)} |"
        )
    return "\n".join(lines)


def make_settings_page() -> str:
    """Make the whole page: the run, the training, groups of settings, engines."""
    run = [name for name in RunConfig.__annotations__ if name in RunConfig.model_fields]
    training = [name for name in TrainingConfig.model_fields if name not in run]
    parts = [HEAD, "## The run\n", _table(RunConfig, run), "## Training\n", _table(RunConfig, training)]
    for name in RunConfig.model_fields:
        group = group_of(RunConfig, name)
        if group is not None:
            parts += [f"## `{name}.`\n", _summary(group), _table(group, list(group.model_fields), f"{name}.")]
    parts.append("## `engine.`\n")
    for name in ENGINES.own:
        parts += [f"### `engine={name}`\n", *_choice(ENGINES.find(name), "engine.")]
    parts.append("## `hindsight.`\n\nThe options of each method stand in [methods](methods.md#options).\n")
    return "\n".join(parts)


def make_options_of_methods() -> str:
    """Make a section for each method, with the place in which it enters and a table of its options."""
    parts = []
    for place, methods in PLACES.items():
        for options in methods:
            where = "the control" if place == "none" else f"place: {place}"
            parts += [f"### `hindsight={name_of(options)}`\n", f"*{where}*\n", *_choice(options, "hindsight.")]
    for name in ("route", "chain"):
        parts += [f"### `hindsight={name}`\n", *_choice(METHODS.find(name), "hindsight.")]
    return "\n".join(parts)


def _choice(options: type[MethodOptions] | type[Settings], prefix: str) -> Iterator[str]:
    yield _summary(options)
    own = [name for name in options.model_fields if name != "name"]
    if own:
        yield _table(options, own, prefix)


def _summary(settings: type[Settings]) -> str:
    return " ".join((settings.__doc__ or "").split()) + "\n"


def _table(settings: type[Settings], names: list[str], prefix: str = "") -> str:
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name in names:
        field = settings.model_fields[name]
        lines.append(f"| `{prefix}{name}` | {_default(settings, name)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def _default(settings: type[Settings], name: str) -> str:
    value: Any = settings.model_fields[name].get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "needed"
    if by_name(settings, name) is not None and isinstance(value, Settings):
        return f"`{value.name}`"  # type: ignore[attr-defined]
    if isinstance(value, Settings):
        return "see below"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{_cell(repr(value) if isinstance(value, str) and not value.isidentifier() else str(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write_pages()
    print("wrote settings.md, and what is generated in concepts.md and methods.md", file=sys.stderr)
