"""One process writes to a folder, another is told which, and a crash leaves no lock behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backsight.errors import RunFolderError
from backsight.reports.lock import LOCK, only_writer

HOLDER = """
import sys, time
from pathlib import Path
from backsight.reports.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_named_and_a_kill_leaves_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunFolderError, match=f"process {holder.pid} on .* is writing to it; wait"),
            only_writer(tmp_path),
        ):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with only_writer(tmp_path):
        assert (tmp_path / LOCK).is_file()
    assert list(tmp_path.iterdir()) == []


def test_it_is_kept_within_a_process_as_well(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(RunFolderError, match=f"process {os.getpid()} "), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass


def test_a_folder_that_is_gone_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="cannot be written"), only_writer(tmp_path / "gone"):
        pass


def test_a_folder_may_go_while_it_is_held(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with only_writer(tmp_path / "run"):
        (tmp_path / "run" / LOCK).unlink()
        (tmp_path / "run").rmdir()
