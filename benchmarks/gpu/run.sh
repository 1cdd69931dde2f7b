#!/usr/bin/env bash
# Measure what only a GPU can show, in ten minutes on one card: run.py says what, prepare.py what it needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-.venv/bin/python}"
command -v "$python" >/dev/null || python=python3
export PYTHONPATH="$PWD/build/gpu/site:$PWD/src:$PWD/pocket/src:$PWD"
"$python" -m benchmarks.gpu.prepare "$@"
exec "$python" -m benchmarks.gpu.run "$@"
