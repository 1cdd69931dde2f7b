"""Files with results. A file that the user has is never overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from backsight.disk import disk_errors, sync
from backsight.errors import ConfigError


def check_new_file(field: str, path: Path, suffixes: Collection[str]) -> None:
    """Check, before the work is done, that a new file can be made.

    Raises:
        ConfigError: when the ending is wrong, the file exists or its folder does not.
    """
    if path.suffix.lower() not in suffixes:
        raise ConfigError(field, path, f"give it one of the endings {', '.join(suffixes)}")
    if path.exists():
        raise ConfigError(field, path, "exists and is left as it is; choose another name, or move it away")
    if not path.parent.is_dir():
        raise ConfigError(field, path, f"there is no folder {path.parent}; make it first")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a new JSON file.

    Raises:
        FileExistsError: when the file exists.
        RunFolderError: when the disk fails.
    """
    with disk_errors(path, "choose another place"), path.open("x", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, over what the program itself has written there before.

    Raises:
        RunFolderError: when the disk fails.
    """
    draft = path.with_name(path.name + ".part")
    with disk_errors(path, "what lay there is as it was; make room, or mend the folder's rights"):
        draft.write_text(text, encoding="utf-8")
        sync(draft)
        os.replace(draft, path)
        sync(path.parent)


def size_text(num_bytes: int) -> str:
    """Return a size for a person: ``712 B``, ``12.9 kB``, ``538 MB``."""
    size, unit = float(num_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}"
