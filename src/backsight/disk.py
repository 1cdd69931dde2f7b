"""Folders that are written whole or not at all, and failures of the disk in one line."""

from __future__ import annotations

import glob
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backsight.errors import RunFolderError, reason

PARTIAL, REPLACED = ".partial", ".replaced"
"""Ends of the names of folders that are being written, and of those that are being deleted."""


@contextmanager
def disk_errors(path: Path, remedy: str) -> Iterator[None]:
    """Turn what the disk, or the library that writes weights, throws inside the block into a `RunFolderError`.

    Raises:
        RunFolderError: naming `path`, what went wrong, and the remedy.
    """
    try:
        yield
    except (RunFolderError, FileExistsError):  # what is there already is for the caller to judge
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        raise RunFolderError("disk", path, f"cannot be written ({reason(error)}); {remedy}") from error


@contextmanager
def whole_folder(target: Path, remedy: str) -> Iterator[Path]:
    """Yield an empty folder to write to. When the block ends, it is on the disk, and takes the place of `target`.

    A process that is killed leaves `target` as it was, or as it was to become; `clean` deletes what else it may leave.

    Raises:
        RunFolderError: when the disk fails. What lay at `target` is left as it was.
    """
    partial = place_of_draft(target)
    with disk_errors(target, remedy):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            yield partial
            open_to_others(partial)
            for path in [*partial.rglob("*"), partial]:
                sync(path)
            _put_in_place(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def place_of_draft(target: Path) -> Path:
    """Return where a folder is written before it takes its place."""
    return target.with_name(f".{target.name}{PARTIAL}")


def make_folder(target: Path, files: Mapping[str, str]) -> None:
    """Make a new folder that holds these files, given by name and text, from its first moment on.

    Several processes may try at the same time: each has a draft of its own, and one of them makes the folder.

    Raises:
        FileExistsError: when there is something at `target`.
        OSError: when the disk fails.
    """
    if target.exists():
        raise FileExistsError(target)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
    draft.mkdir(parents=True)
    try:
        for name, text in files.items():
            (draft / name).write_text(text, encoding="utf-8")
            sync(draft / name)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if target.exists():  # somebody else was quicker
            raise FileExistsError(target) from error
        raise
    drafts = f".{glob.escape(target.name)}.{'[0-9a-f]' * 8}{PARTIAL}"
    for late in target.parent.glob(drafts):  # or left by a process that was killed
        shutil.rmtree(late, ignore_errors=True)
    sync(target.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder: at no moment does a part of it lie under its name."""
    replaced = folder.with_name(f".{folder.name}{REPLACED}")
    shutil.rmtree(replaced, ignore_errors=True)
    folder.rename(replaced)
    shutil.rmtree(replaced)


def clean(folder: Path) -> None:
    """Delete what a process that was killed has left of folders inside this one.

    A folder that had made room for a new one goes back to its place, if the new one had not come yet.
    """
    for path in folder.glob(f".*{REPLACED}") if folder.is_dir() else ():
        target = path.with_name(path.name.removeprefix(".").removesuffix(REPLACED))
        if place_of_draft(target).exists() and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path)
    for path in folder.glob(f".*{PARTIAL}") if folder.is_dir() else ():
        shutil.rmtree(path)


def sync(path: Path) -> None:
    """Wait until a file, or the list of the files of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(partial: Path, target: Path) -> None:
    replaced = target.with_name(f".{target.name}{REPLACED}")
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    partial.rename(target)
    sync(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def open_to_others(folder: Path) -> None:
    """Give the weights in a folder the rights of a usual new file; safetensors hides them from all but the user."""
    sample = folder / f".rights{PARTIAL}"
    sample.touch()
    rights = sample.stat().st_mode & 0o777
    sample.unlink()
    for path in folder.glob("*.safetensors"):
        if path.stat().st_mode & 0o777 != rights:  # some file systems know no rights, and refuse to set them
            path.chmod(rights)
