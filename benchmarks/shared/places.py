"""Where the benchmarks find their data, and where they leave things."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results"
PICTURES = REPOSITORY / "docs" / "results"
DATA = REPOSITORY.parent / "shared" / "data"
"""The real data sets, which lie beside the repository."""
KEPT = Path("runs")
"""The folder in which a benchmark keeps what is done, so that it goes on where it was stopped; it lies where the
benchmark is run from."""
