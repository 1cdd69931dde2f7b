"""Folders of packed lines: a compressed file of JSON lines for each step that has something to say.

runs/NAME/traces/step-NNNNNN.jsonl.gz and runs/NAME/answers/step-NNNNNN.jsonl.gz are such files.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backsight.disk import disk_errors
from backsight.errors import RunFolderError
from backsight.types import PartialCompletion

LARGEST_FOLDER = 200 * 10**6
"""Most bytes of a folder of packed lines; what comes later is left out."""
LARGEST_STEP = 64 * 10**6
"""Most bytes of the lines of a step, unpacked: a file may come from anywhere."""

Row = dict[str, Any]


class PackedFolder:
    """Rows by step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[int]:
        """Return the steps that have rows, oldest first."""
        names = (re.fullmatch(r"step-(\d{6,})\.jsonl\.gz", path.name) for path in self.folder.glob("step-*.jsonl.gz"))
        return sorted(int(name[1]) for name in names if name)

    def read(self, step: int) -> list[Row]:
        """Return the rows of a step; none when it has none.

        Raises:
            RunFolderError: when the file is damaged, or cannot be read.
        """
        path = self._path(step)
        try:
            with gzip.open(path, "rb") as file:
                packed = file.read(LARGEST_STEP + 1)
            if len(packed) > LARGEST_STEP:
                raise RunFolderError("run folder", path, f"holds more than {LARGEST_STEP // 10**6} MB; delete it")
            return [dict(json.loads(line)) for line in packed.decode().splitlines()]
        except FileNotFoundError:
            return []
        except (OSError, EOFError, ValueError, TypeError, RecursionError) as error:
            raise RunFolderError("run folder", path, f"cannot be read ({error}); delete the file") from error

    def write(self, step: int, rows: Iterable[Row]) -> bool:
        """Write the rows of a step; return False when they are left out, because the folder is as large as it may be.

        Raises:
            RunFolderError: when the disk fails.
        """
        lines = "".join(json.dumps(row, default=as_json, allow_nan=False) + "\n" for row in rows)
        packed = gzip.compress(lines.encode(), compresslevel=5, mtime=0)
        if self.size() + len(packed) > LARGEST_FOLDER:
            return False
        path = self._path(step)
        with disk_errors(path, "the run ends here; make room, and resume it"):
            self.folder.mkdir(exist_ok=True)
            draft = path.with_name(path.name + ".part")
            draft.write_bytes(packed)
            draft.replace(path)
        return True

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(path.lstat().st_size for path in self.folder.glob("step-*"))

    def forget_after(self, step: int) -> None:
        """Delete the rows of later steps, which will be made again."""
        for later in self.steps():
            if later > step:
                self._path(later).unlink()
        for half in self.folder.glob("step-*.part"):
            half.unlink()

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}.jsonl.gz"


def plain(value: Any) -> Any:
    """Return a value as JSON has it; what it has no words for becomes text."""
    return json.loads(json.dumps(value, default=as_json))


def as_json(value: Any) -> Any:
    """Return what stands in JSON for a value that it has no words for: lists for arrays, else text."""
    if isinstance(value, PartialCompletion):
        return {"prompt": value.prompt, "begun": list(value.tokens)}
    return value.tolist() if hasattr(value, "tolist") else str(value)
