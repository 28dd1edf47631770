# Each target makes .venv by itself, with the versions of constraints.txt. Overridable: PYTHON, VENV, EXTRAS, and
# ARGS for demo, bench and test, for example: make test ARGS="-k tiles -x". With AIRFLOW=3.1 or 3.2 it is .venv-3.1 and
# constraints-3.1.txt.

AIRFLOWS := 3.1.8 3.2.2 3.3.2
AIRFLOW ?= 3.3
ifeq ($(filter $(AIRFLOW),$(basename $(AIRFLOWS))),)
$(error AIRFLOW=$(AIRFLOW) is none of $(basename $(AIRFLOWS)))
endif
AIRFLOW_VERSION := $(filter $(AIRFLOW).%,$(AIRFLOWS))

# The end of the names of what is made for one Airflow: nothing for 3.3, "-3.1" for 3.1.
ending = $(filter-out -3.3,-$(basename $(1)))
OTHER := $(call ending,$(AIRFLOW_VERSION))

VENV ?= .venv$(OTHER)
CONSTRAINTS := constraints$(OTHER).txt
EXTRAS ?= dev
# Four processes run a real Airflow and mostly wait for it, the fifth has the rest. Those of one file share what they
# start, and run one after another.
JOBS ?= 5

# Tests of what knows no Airflow and no library that is pinned apart for one, and of the client that is compared with
# ours: they need no second Airflow.
ONCE := $(addprefix tests/,benchmarks docs/test_docs_site.py jobs real_client polling release typing waits)

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed$(OTHER)

# Python 3.11 to 3.13 are what we test with; a newer one is taken only when there is no other.
PYTHON ?= $(shell for below in 14 99; do for name in python3 python3.13 python3.12 python3.11; do \
    if $$name -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$below))" 2>/dev/null; \
    then echo $$name; exit; fi; done; done)

.DEFAULT_GOAL := help
.PHONY: help demo bench test test-hard lint format types docs dist constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## Run the example DAGs in a real Airflow against the emulator
	@$(BIN)/python -m demo $(ARGS)

bench: $(STAMP) ## Measure what many waits cost: ours, a poll loop each, sentinelhub-py; 1 1/2 hours
	@$(BIN)/python -m benchmarks $(ARGS)

test: $(STAMP) ## Run all tests; with AIRFLOW=3.1 or 3.2 those that depend on it, but start none
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(if $(OTHER),-m "not system" $(addprefix --ignore=,$(ONCE))) $(ARGS)

test-hard: $(STAMP) ## Run them on one core, beside busy processes, in random order, elsewhere; ARGS="--rounds 10"
	@$(BIN)/python -m tests.harness.hard $(ARGS)

lint: $(STAMP) ## Check style and formatting with ruff, and the language of the package
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m tests.harness.language

format: $(STAMP) ## Mend what ruff can mend
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

types: $(STAMP) ## Check types with mypy --strict
	@$(BIN)/python -m mypy

docs: $(STAMP) ## Build the documentation site into .site; open .site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

dist: $(STAMP) ## Build sdist and wheel, and try the wheel on each Airflow, in environments of its own
	@rm -rf dist && $(BIN)/python -m build --no-isolation --quiet
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python -m release dist $(foreach version,$(AIRFLOWS),constraints$(call ending,$(version)).txt)

constraints: $(BIN)/python ## Look for newer versions of every dependency and pin them
	@uv=$$(command -v uv) || { $(BIN)/python -m pip install --quiet uv && uv=$(BIN)/uv; }; \
	$(foreach version,$(AIRFLOWS),$(call PIN,$(version)) &&) true

# Nobody has an older Airflow with today's FastAPI or SQLAlchemy: it gets what there was when it was released (3.2.2
# does not start otherwise), but for what this provider itself asks for.
BEFORE_3.1.8 := --exclude-newer 2026-03-13
BEFORE_3.2.2 := --exclude-newer 2026-05-31
NEWER := apache-airflow-providers-common-compat

define PIN
{ echo "# Every dependency's version for Python 3.11 to 3.13. Made by 'make constraints'."; \
  printf '%s\n' apache-airflow==$(1) hatchling editables uv | \
  $$uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
    $(BEFORE_$(1)) $(if $(BEFORE_$(1)),$(NEWER:%=--exclude-newer-package %=false)) \
    --quiet --all-extras pyproject.toml - ; } > constraints.new && \
mv constraints.new constraints$(call ending,$(1)).txt
endef

clean: ## Remove .venv and its like, the files of demo and bench, and all caches
	rm -rf $(VENV) $(addprefix .venv-,$(basename $(AIRFLOWS))) .demo .bench .browser .site dist constraints.new .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The build backend is pinned like all else: it is installed first, and the build uses that one. A machine whose
# package index only pip knows of cannot use uv, so pip is what is tried last.
define INSTALL
install() { "$$@" -c $(CONSTRAINTS) hatchling editables && \
            "$$@" -c $(CONSTRAINTS) --no-build-isolation -e ".[$(EXTRAS)]"; }; \
pip="$(BIN)/python -m pip install --quiet --disable-pip-version-check"; \
uv=$$(command -v uv) || { $$pip -c $(CONSTRAINTS) uv && uv=$(BIN)/uv; } || uv=; \
{ test -n "$$uv" && install $$uv pip install --quiet --compile-bytecode --python $(BIN)/python; } || \
{ echo "Without uv this takes a few minutes"; install $$pip; }
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip, venv" 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "Installing Airflow $(AIRFLOW_VERSION) and the project into $(VENV), once; this can take a minute or two"
	@$(INSTALL)
	@rm -f $(VENV)/.installed* && touch $@
