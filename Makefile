# Every target sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
SHELL_FILES = $(shell git ls-files -z | xargs -0 grep -lIE '^\#!.*(bash|/sh)' 2>/dev/null)
PYTEST_FLAGS ?=

.PHONY: help setup check format test test-unit test-faults crds demo bench image docs lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Install the Debian packages, the Python environment and the control plane binaries
	@tools/setup system
	@tools/setup control-plane

$(STAMP): requirements.lock pyproject.toml tools/setup
	@tools/setup python
	@touch $@

check: $(STAMP)  ## Format, lint, types, import contracts, generated files, shell scripts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if [ -e crds/generate.py ]; then $(BIN)/python -m crds.generate --check; fi
	@if [ -n "$(SHELL_FILES)" ]; then shellcheck $(SHELL_FILES); fi

format: $(STAMP)  ## Rewrite the sources in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

test: setup  ## Set everything up and run all tests
	@$(BIN)/pytest $(PYTEST_FLAGS)

test-unit: $(STAMP)  ## Run the pure tests only (seconds)
	@$(BIN)/pytest tests/unit $(PYTEST_FLAGS)

test-faults: setup  ## Kill the operator at every step of its work (minutes)
	@$(BIN)/pytest -m slow $(PYTEST_FLAGS)

crds: $(STAMP)  ## Write the CRD YAML from the models
	@$(BIN)/python -m crds.generate

demo: setup  ## Walk through an upgrade and an automatic rollback in a sandbox
	@$(BIN)/python -m tools.demo

bench: setup  ## Measure speed and memory against the bare floor
	@$(BIN)/python -m tools.bench

image:  ## Build the container image (not built yet)
	@echo "make image: the Containerfile is not written yet" >&2; exit 2

docs:  ## Build the documentation (not built yet)
	@echo "make docs: the documentation site is not written yet; read docs/*.md" >&2; exit 2

lock:  ## Pin all dependencies again (requirements.lock)
	@tools/setup lock

clean:  ## Remove the environment and the caches of this checkout
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
