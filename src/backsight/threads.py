"""How torch's threads wait for each other: briefly, and then asleep, so that another process may have the core.

A forward pass meets hundreds of times a token, whenever a product has been shared out among threads. One that is done
first spins: GNU's OpenMP, which comes with torch on Linux, looks 300,000 times, about a millisecond, before it sleeps.
On a core that another process uses as well, it spins away the very time that the thread it waits for would need. The
number of threads is left alone: products round differently with another one, and runs that should be equal would not.
"""

from __future__ import annotations

import os

SPINS = "GOMP_SPINCOUNT"
"""Variable that says how often a thread looks before it sleeps; OpenMP reads it once, when torch is loaded."""
FEW_SPINS = 5000
"""Number of looks. On an idle machine decoding is 8 % slower for it (22 % with 1,000 looks), and it is many times as
fast on one that others use as well."""
CHOSEN_BY_USER = ("OMP_WAIT_POLICY", SPINS)


def wait_asleep() -> None:
    """Let threads wait asleep, in this process and those it starts, unless the user has said how they wait.

    It does nothing once torch is loaded.
    """
    if not any(name in os.environ for name in CHOSEN_BY_USER):
        os.environ[SPINS] = str(FEW_SPINS)
