"""Trackio keeps a run on this machine."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from backsight.reports.trackers.trackio import Trackio

tracker = Trackio(Path("mine"), {"seed": 3}, 0)
tracker.log(1, {"reward": 0.5})
tracker.log_samples(1, [[1, "say", "red", 1.0, -0.5]])
tracker.close()
"""


@pytest.mark.skipif(find_spec("trackio") is None, reason="pip install 'backsight[trackio]'")
def test_a_run_is_kept_on_this_machine(tmp_path: Path) -> None:
    # trackio reads once where it keeps things, and other libraries import it
    place = {"TRACKIO_DIR": str(tmp_path / "trackio"), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert any((tmp_path / "trackio").rglob("*.db"))
