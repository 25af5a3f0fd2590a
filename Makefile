# `make` alone says what there is. PYTHON=python3.12 picks another interpreter, for `install` and all
# that calls it; ARGS="--out runs/mine" is added to `compare`.
PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed.stamp

.DEFAULT_GOAL := help
.PHONY: help install compare test lint format clean

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

install: $(INSTALLED) ## Make .venv and install pixelrnn into it (the others do it by themselves)

# The stamp makes it run again only where the dependencies changed; the code itself is used in place.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"pixelrnn needs Python 3.11 or newer, not " + sys.version.split()[0] + \
		"; try: make PYTHON=python3.12 $(or $(MAKECMDGOALS),install)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

compare: install ## Train the three models on the digits and show which is better
	$(BIN)/pixelrnn compare digits $(ARGS)

test: lint ## Check everything that must hold: format, lint, types, tests
	$(BIN)/pytest -n auto

lint: install ## Check format, lint and types only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install ## Mend format and what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove .venv and all caches; keep runs/
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
