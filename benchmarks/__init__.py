"""The benchmarks: every figure in the documentation comes from one of their `run.py`."""
