# `make run` and `make test` do all the set-up themselves; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt
# uv installs in seconds what takes pip two minutes; where it cannot (another index in pip's own
# configuration, no wheel for this machine) pip does it.
INSTALL = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c $(CONSTRAINTS)
INSTALL_SLOWLY = $(BIN)/python -m pip install --quiet -c $(CONSTRAINTS)
DEV := $(shell sed -n '/^dev = \[/,/^\]/p' pyproject.toml | sed -n 's/^ *\("[^"]*"\),.*/\1/p' | tr '\n' ' ')
# The least percentage of lines of src that tests run in their own process. What they start as programs
# is not counted, so that this is lower than what they reach.
COVERED := 88

.DEFAULT_GOAL := help
.PHONY: help run test check lint types pytest search format bench bench-inspect clean

help:  ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: $(VENV)/.installed  ## install, then play the embedded default: no key, no GPU, no network
	@$(BIN)/arena

test: lint types pytest  ## lint, types and tests

check: test

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo

types: $(VENV)/.dev
	$(BIN)/mypy

pytest: $(VENV)/.dev
	$(BIN)/python -m slipcover --source src/game_reasoning_arena --json --out .coverage.json \
	  -m pytest -n 2 --dist loadscope -W "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
	@$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --skip-covered \
	  --fail-under $(COVERED) > .coverage.txt || { cat .coverage.txt; echo "Less than $(COVERED) % of src is covered."; exit 1; }
	@tail -n 1 .coverage.txt

search: $(VENV)/.dev  ## look for examples that fail, other ones each time
	$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=search

format: $(VENV)/.dev  ## rewrite the code in its one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## speed, as ratios measured side by side (benchmarks/README.md)
	$(BIN)/python -m benchmarks

bench-inspect: $(VENV)/.dev .venv-inspect/.installed  ## samples per second beside inspect_ai
	$(BIN)/python -m benchmarks bench_inspect --inspect .venv-inspect/bin/python

# Its own environment: inspect_ai wants openai 3, LiteLLM openai 2.
.venv-inspect/.installed: Makefile
	@$(PYTHON) -m venv --clear .venv-inspect
	@.venv-inspect/bin/python -m pip install --quiet --disable-pip-version-check inspect_ai 'openai>=3.4,<4'
	@touch $@

clean:  ## remove environments and caches, keep outputs
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv && $(INSTALL) -e . || $(INSTALL_SLOWLY) -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@$(INSTALL) $(DEV) || $(INSTALL_SLOWLY) $(DEV)
	@touch $@

-include *.mk
