"""The folder of a comparison. Files in it are written whole or not at all, and finished runs are not done again.

comparisons/NAME/
├── config.yaml             the request: methods, seeds and settings
├── before.json             scores of the policy before training, by split, name and item
├── runs/METHOD-SEED/       a run folder, as `backsight train` makes it
├── runs/METHOD-SEED.json   the record of that run, once it is finished
├── results.json            the results of all runs
├── report.md
└── report.html
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from backsight.comparison.request import Request
from backsight.disk import make_folder
from backsight.errors import RunFolderError
from backsight.reports.files import write_whole
from backsight.reports.run_folder import CONFIG, RunReader
from backsight.training.checkpoints import find_checkpoint

BEFORE, RESULTS, REPORT, PAGE = "before.json", "results.json", "report.md", "report.html"
RUNS = "runs"


def open_folder(request: Request) -> Path:
    """Return the folder of a comparison: a new one, or the one that an earlier call with the same request made.

    Raises:
        RunFolderError: when the folder belongs to something else, or cannot be made.
    """
    root, name = Path(request.shared.output_dir), request.shared.run_name
    if name is not None:
        if not _make_new(root / name, request):
            _check_same(root / name, request.as_dict())
        return _ready(root / name)
    default = re.sub(r"[^\w.+-]+", "-", request.shared.preset)
    numbered = (f"{default}-{number}" for number in itertools.count(2))
    return _ready(next(root / each for each in itertools.chain([default], numbered) if _make_new(root / each, request)))


def _make_new(folder: Path, request: Request) -> bool:
    """Make a new folder for a comparison; return whether there was nothing in its place.

    Raises:
        RunFolderError: when the folder cannot be made.
    """
    text = yaml.safe_dump(request.as_dict(), sort_keys=False, allow_unicode=True)
    try:
        make_folder(folder, {CONFIG: text})
    except FileExistsError:
        return False
    except OSError as error:
        remedy = f"cannot be made ({error.strerror}); choose another output_dir"
        raise RunFolderError("comparison", folder, remedy) from error
    return True


def _ready(folder: Path) -> Path:
    (folder / RUNS).mkdir(exist_ok=True)
    return folder


def _check_same(folder: Path, asked: Mapping[str, Any]) -> None:
    try:
        held = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        held = None
    if not isinstance(held, dict) or set(held) != set(asked) or not isinstance(held["settings"], dict):
        raise RunFolderError("name", folder, "holds no comparison; choose another name")
    there, here = ({**each, **each["settings"], "settings": None} for each in (held, asked))
    for key, value in here.items():
        if key not in there or there[key] != value:
            remedy = f"holds another comparison, with {key}={_plain(there.get(key))}; ask for that, or choose a name"
            raise RunFolderError("name", folder, remedy)


def _plain(value: Any) -> str:
    """Return a setting as text in one line, without what is not set."""
    if isinstance(value, list):
        return ",".join(each["name"] for each in value)
    if isinstance(value, dict):
        return str({name: each for name, each in value.items() if each is not None})
    return str(value)


def checkpoint_in(folder: Path) -> Path | None:
    """Return the newest whole checkpoint of an interrupted run. A run folder without one is deleted: None."""
    found, _ = find_checkpoint(RunReader(folder).checkpoints) if (folder / CONFIG).is_file() else (None, [])
    if found is not None:
        return found
    if folder.exists():
        shutil.rmtree(folder)
    return None


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the contents of a JSON file; None if it does not exist yet."""
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunFolderError("comparison", path, "is damaged; delete it, and it is made again") from None
    return found


def save_json(path: Path, values: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(values, indent=1) + "\n")
