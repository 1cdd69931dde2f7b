"""What the tests share: few threads, no network, signals that arrive, and the data beside the repository."""

import os
import signal
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported: a test never downloads
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch is: see backsight.threads

import pytest
import torch

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

torch.set_num_threads(2)

# whoever starts the tests in the background, or by nohup, hands down that these are ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data sets that lie beside the repository. Skips without them; on a CI machine it fails."""
    if not SHARED_DATA.is_dir():
        reason = f"needs the data sets in {SHARED_DATA}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED_DATA
