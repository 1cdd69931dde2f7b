"""Threads wait asleep: what they take from a core while they wait, in processes of their own."""

import os
import subprocess
import sys

import pytest

WAITING = """
import os, time
{first}
import torch
torch.set_num_threads(2)
numbers = torch.zeros(2**20)
for _ in range(20):
    numbers.add_(1)
    began = time.process_time()
    time.sleep(0.02)
    waited = waited + time.process_time() - began if _ else 0.0
print(os.environ.get("GOMP_SPINCOUNT"), waited)
"""


def waited(first: str, **variables: str) -> tuple[str, float]:
    """Return the variable, and the seconds of computing in 0.4 s during which there is nothing to compute."""
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    code = WAITING.format(first=first)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60, env={**kept, **variables}
    )
    count, seconds = done.stdout.split()
    return count, float(seconds)


@pytest.mark.skipif(sys.platform != "linux", reason="torch has another OpenMP there")
def test_threads_take_no_core_while_they_wait() -> None:
    plain, (count, asleep) = waited("")[1], waited("import backsight")
    assert count == "5000" and asleep < 0.05
    assert plain > 2 * asleep, "the OpenMP of this torch does not spin: the setting may go"


def test_what_the_user_has_said_stays() -> None:
    assert waited("import backsight", GOMP_SPINCOUNT="7")[0] == "7"
    assert waited("import backsight", OMP_WAIT_POLICY="PASSIVE")[0] == "None"
