"""Single files with results: never over one that the user has, and never half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from backsight.errors import ConfigError


def check_new_file(field: str, path: Path, suffixes: Collection[str]) -> None:
    """Raises `ConfigError` when the file could not be made: before the work is done, not after."""
    if path.suffix.lower() not in suffixes:
        raise ConfigError(field, path, f"give it one of the endings {', '.join(suffixes)}")
    if path.exists():
        raise ConfigError(field, path, "exists and is left as it is; choose another name, or move it away")
    if not path.parent.is_dir():
        raise ConfigError(field, path, f"there is no folder {path.parent}; make it first")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Fails where the file exists."""
    with path.open("x", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, over what the program itself has written there."""
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
