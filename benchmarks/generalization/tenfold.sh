#!/usr/bin/env bash
# The cells of `instructions` from ten times the attempts, for ten minutes of a machine with a GPU. What is not done by
# then is left to the next call, which goes on. Further words go to the benchmark.
set -euo pipefail
cd "$(dirname "$0")/../.."
benchmark=(benchmarks/generalization/real_model.py --tenfold --only instructions --jobs 6)
exec timeout --signal=INT 600 "${PYTHON:-.venv/bin/python}" "${benchmark[@]}" "$@"
