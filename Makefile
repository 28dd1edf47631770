# Each target makes .venv by itself, with the versions of constraints.txt. Overridable: PYTHON, VENV, EXTRAS, and
# ARGS for demo and test, for example: make test ARGS="-k tiles -x".

VENV ?= .venv
EXTRAS ?= dev
AIRFLOW_VERSION := 3.3.2

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Python 3.11 to 3.13 are what we test with; a newer one is taken only when there is no other.
PYTHON ?= $(shell for below in 14 99; do for name in python3 python3.13 python3.12 python3.11; do \
    if $$name -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$below))" 2>/dev/null; \
    then echo $$name; exit; fi; done; done)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format types constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## Run the example DAGs in a real Airflow against the emulator
	@$(BIN)/python -m demo $(ARGS)

test: $(STAMP) ## Run all tests, also those that start an Airflow
	@$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## Check style and formatting with ruff
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

format: $(STAMP) ## Mend what ruff can mend
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

types: $(STAMP) ## Check types with mypy --strict
	@$(BIN)/python -m mypy

constraints: $(BIN)/python ## Look for newer versions of every dependency and pin them
	@uv=$$(command -v uv) || { $(BIN)/python -m pip install --quiet uv && uv=$(BIN)/uv; }; \
	{ echo "# Every dependency's version for Python 3.11 to 3.13. Made by 'make constraints'."; \
	  printf '%s\n' apache-airflow==$(AIRFLOW_VERSION) hatchling editables uv | \
	  $$uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
	    --quiet --all-extras pyproject.toml - ; } > constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove .venv, the demo's files and all caches
	rm -rf $(VENV) .demo dist constraints.new .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build backend is pinned like all else: it is installed first, and the build uses that one. A machine whose
# package index only pip knows of cannot use uv, so pip is what is tried last.
define INSTALL
install() { "$$@" -c constraints.txt hatchling editables && \
            "$$@" -c constraints.txt --no-build-isolation -e ".[$(EXTRAS)]"; }; \
pip="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; \
uv=$$(command -v uv) || { $$pip -c constraints.txt uv && uv=$(BIN)/uv; } || uv=; \
{ test -n "$$uv" && install $$uv pip install --quiet --compile-bytecode --python $(BIN)/python; } || \
{ echo "Without uv this takes a few minutes"; install $$pip; }
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Airflow $(AIRFLOW_VERSION) and the project into $(VENV), once; this can take a minute or two"
	@$(INSTALL)
	@touch $@
