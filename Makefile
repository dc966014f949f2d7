# make ask Q="…"   set up, index sources/ and answer a question
# make test        set up and run the tests
# make check       what CI runs: lint, types, tests, the evaluation gate

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Progress goes to standard error, so that standard output holds the result alone.
PIP = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.PHONY: ask test check lint types eval clean

ask: $(VENV)/.ready
	@if [ -z "$$Q" ]; then echo 'usage: make ask Q="How many American troops are based in Japan?"' >&2; exit 2; fi
	@$(BIN)/qa ask "$$Q"

test: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest

check: lint types test eval

lint: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.ready-dev
	@$(BIN)/mypy

eval: $(VENV)/.ready
	@$(BIN)/qa eval
	@$(BIN)/python -m evals.writers

clean:
	rm -rf $(VENV) build *.egg-info index/gen-* index/current index/.building-*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@echo "making a virtual environment in $(VENV) and installing into it; this takes a minute or two" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@$(PIP) --editable . >&2
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(PIP) --editable '.[dev]' >&2
	@touch $@
