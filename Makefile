# Ferrule's house commands. Each sets up what it needs; a second run does nothing twice.
# `make` alone lists them. PYTHON=python3.12 picks another interpreter, ARGS="-k name" narrows `make test`.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ARGS ?=
# Test processes side by side; half of their time they wait for servers of their own.
JOBS ?= 3

.PHONY: help
help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

.PHONY: setup
setup: $(VENV)/.ready ## .venv with locked dependencies and .venv/bin/ferrule

.PHONY: demo
demo: setup ## a synthetic day through the real queue; then the inbox on http://127.0.0.1:8000
	@$(BIN)/ferrule demo

.PHONY: test
test: $(VENV)/.ready-for-tests ## the whole suite, with real servers (installs what it can; FERRULE_NO_APT=1 refuses)
	@$(BIN)/python -m pytest -m "not faults" -n $(JOBS) --dist loadfile $(ARGS)

.PHONY: faults
faults: $(VENV)/.ready-for-tests ## the long runs: kills, races, lost brokers
	@$(BIN)/python -m pytest -m faults --timeout 3600 $(ARGS)

# By examples that are always the same, and no engine of others: neither random rules nor CQL's reference are needed.
COVERING = tests/rules tests/export/test_export_shape.py
.PHONY: coverage
coverage: $(VENV)/.ready-for-tests ## every statement and branch of rules/ is reached by its own tests
	@$(BIN)/python -m coverage run -m pytest $(COVERING) -q -m "not faults and not whole_library" \
		--hypothesis-profile the-same-again $(ARGS)
	@$(BIN)/python -m coverage report

.PHONY: check
check: $(VENV)/.ready-for-tests ## format, lint, types, import contracts, rules, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ferrule rules lint
	$(BIN)/ferrule rules test
	$(BIN)/ferrule docs --check
	$(BIN)/python deploy/grafana/dashboard.py --check

.PHONY: bench
bench: $(VENV)/.ready-for-tests ## every figure beside its yardstick, measured in the same run
	@$(BIN)/ferrule bench intake $(ARGS)
	@$(BIN)/ferrule bench pipeline $(ARGS)
	@$(BIN)/ferrule bench rules $(ARGS)
	@$(BIN)/ferrule bench history $(ARGS)

.PHONY: pages
pages: $(VENV)/.ready-for-tests ## write the generated pages and the dashboard anew
	$(BIN)/ferrule docs
	$(BIN)/python deploy/grafana/dashboard.py

LOCK = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --quiet --custom-compile-command "make lock"
.PHONY: lock
lock: $(VENV)/.ready-for-tests ## pin pyproject's dependencies anew (UPGRADE=1 takes newer releases)
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build --output-file requirements.lock
	$(LOCK) $(if $(UPGRADE),--upgrade) --group build --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock

.PHONY: clean
clean: ## remove .venv and caches; data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The virtual environment. Debian keeps `venv` in a package of its own: root gets it, anyone else is told.
$(BIN)/python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo "make: Ferrule needs Python 3.11 or newer; found: $$(python3 --version 2>&1). Install one, or: make PYTHON=/path/to/python3.12" >&2; \
		exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && [ -z "$$FERRULE_NO_APT" ] && command -v apt-get >/dev/null; then \
			echo "make: $(PYTHON) has no venv module; running: apt-get install -y python3-venv"; \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv; \
		else \
			echo "make: $(PYTHON) has no venv module. Debian and Ubuntu: apt install python3-venv" >&2; exit 2; \
		fi; }
	@$(PYTHON) -m venv --clear $(VENV)

# An editable install of this checkout itself: only `ferrule` and the import path; what it needs is in the lock.
FERRULE = $(PIP) install --no-deps --no-build-isolation --editable . && $(BIN)/python -m compileall -q rules alerts worker

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	@echo "make: installing the locked dependencies into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(FERRULE)
	@touch $@

$(VENV)/.ready-for-tests: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "make: installing the locked dependencies, with those of the tests, into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@$(FERRULE)
	@touch $@ $(VENV)/.ready
