# Two commands on a fresh machine, each doing all its own set-up:
#   make demo    plays the till on a web page, with simulated devices and a real broker, back office and daemon
#   make test    all tests that a change must pass (at most 8 minutes)
# The others are for people who change the code; `make help` lists them.

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test check test-all bench chaos fuzz docs format constraints clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## install what the demo needs (only what is missing)
	@.ci/setup demo

setup-test:  ## install what the tests need (only what is missing)
	@.ci/setup test

demo: setup  ## the till on a web page; ARGS="--script full_refund" plays a story and exits
	@$(PYTHON) -m hil demo $(ARGS)

check: setup-test  ## style, types, import contracts, fast tests (at most 60 s)
	@.ci/check

test: setup-test  ## check, and every test that a change must pass (at most 8 min)
	@.ci/check --no-tests
	@.ci/test $(ARGS)

test-all: setup-test  ## every test, the exhaustive ones too
	@.ci/check --no-tests
	@$(PYTEST) $(ARGS)

bench: setup-test  ## measure the budgets, each as a ratio to a floor of the same run
	@$(PYTHON) -m tests.bench $(ARGS)

# SECONDS as given, else 60 for chaos and 10 a target for fuzz
FUZZ_SECONDS := $(if $(SECONDS),$(SECONDS),10)
SECONDS ?= 60
TARGET ?= all
SEED ?= 1
DB ?= sqlite
chaos: setup-test  ## kill and break everything: SECONDS=60 SEED=1 DB=sqlite|postgres, ARGS="--keep DIR"
	@$(PYTHON) -m hil.chaos --seconds $(SECONDS) --seed $(SEED) --database $(DB) $(ARGS)

fuzz: setup-test  ## throw bytes at every parser: SECONDS=10 (a target) TARGET=all SEED=1
	@.venv/bin/python -c 'import atheris' 2>/dev/null || $(PYTHON) -m pip install -q --disable-pip-version-check -c constraints.txt --only-binary :all: atheris 2>/dev/null || true
	@$(PYTHON) -m tests.fuzz --seconds $(FUZZ_SECONDS) --seed $(SEED) --target $(TARGET) $(ARGS)

docs: setup-test  ## write the generated documents again (drift fails a test); takes 2 min: the contract suites run
	@$(PYTHON) docs/generate.py
	@$(PYTEST) -q -p tests.contract.conformance tests/contract -m "not exhaustive" --conformance=docs/conformance

format: setup-test  ## format the code
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

constraints: setup-test  ## pin what is installed now
	@{ head -n 1 constraints.txt; $(PYTHON) -m pip freeze --exclude-editable --exclude pip | sort -f; } > constraints.new && mv constraints.new constraints.txt

clean:  ## remove what the commands made (not the packages of the system)
	@rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
