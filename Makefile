# Needs make and Python 3.11 or newer; all else goes into .venv.
# `make test ARGS="-k drift"` hands arguments on; `make test PYTHON=/path/to/python3.12` picks a Python.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import ensurepip, venv; $(NEW_ENOUGH)' 2>/dev/null && echo "$$python" && break; done)

.PHONY: help demo quick test oldest newest dist check format boards docs bench servers soak clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

# What tests need holds what the demo needs.
demo: $(firstword $(wildcard $(VENV)/.test) $(VENV)/.demo) ## Serve real models, replay real drift, say what to open
	$(BIN)/mlmon-exporter demo $(ARGS)

quick: $(VENV)/.test ## Run the tests that need no other program and no simulation, in a minute
	$(BIN)/python -m pytest --quiet -m "not slow" --hypothesis-profile quick $(IN_PROCESS) $(ARGS)

# Three at a time on two cores, since many wait for servers; a file's tests stay together, and files
# come in the order of tests/conftest.py. Programs that tests start need not compile us anew.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.test ## Run the tests
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

oldest: build/oldest/.made ## Run the tests in process with the oldest dependencies
	build/oldest/venv/bin/python -m pytest --numprocesses 2 --dist loadfile \
		-W ignore::DeprecationWarning $(IN_PROCESS) $(ARGS)

# What drives other programs says nothing about our dependencies, and what simulates, attacks or
# measures calls them as the rest does; both take long. Old ones are called in ways that newer ones
# of their own dependencies warn of. Most of what is installed is never imported, so not compiled.
IN_PROCESS := tests $(addprefix --ignore=tests/,assets/rules bench cli/demo e2e examples formats/test_fuzz.py \
	grafana hostile page/test_browser.py soak test_blocks.py test_false_alarms.py)
build/oldest/.made: pyproject.toml tests/oldest.py $(VENV)/.test
	$(BIN)/python -m venv --clear build/oldest/venv
	$(BIN)/python -m tests.oldest > build/oldest/constraints.txt
	build/oldest/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--constraint build/oldest/constraints.txt --editable '.[test]'
	@touch $@

newest: $(VENV)/.test ## Run the quick tests with the newest Python that is installed
	$(if $(NEWEST),$(MAKE) --no-print-directory quick VENV=build/newest PYTHON=$(NEWEST) \
		ARGS="--numprocesses 2 $(ARGS)",@echo "No Python newer than that of $(VENV) is installed")

# Those of pyenv, too, whose shims answer only for versions that are switched on.
NEWEST = $(shell for python in python3.15 python3.14 python3.13 python3.12 \
	$$(ls -d "$$(pyenv root 2>/dev/null)"/versions/3.1[2-9].*/bin/python3 2>/dev/null | sort -Vr); do \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null && echo "$$python" && break; done)

dist: $(VENV)/.dist ## Build the packages, install the wheel alone in a clean environment, and use it
	rm -rf dist build/installed
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m venv build/installed
	build/installed/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	build/installed/bin/python -I tests/installed.py

check: $(VENV)/.test ## Check style, formatting and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(VENV)/.test ## Format the code
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

boards: $(VENV)/.test ## Build the Grafana boards, and draw them on live data
	$(BIN)/python -m grafana.boards
	$(BIN)/python -m tests.grafana.pictures $(ARGS)

docs: $(firstword $(wildcard $(VENV)/.test) $(VENV)/.docs) ## Write the documentation as a site into build/docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs/site . build/docs

bench: $(VENV)/.test $(VENV)/.bench ## Compare speed with other exporters
	$(BIN)/python -m tests.bench $(ARGS)

servers: $(VENV)/.test ## Drive model servers of others with each of their body forms
	$(BIN)/python -m tests.servers $(ARGS)

soak: $(VENV)/.test $(VENV)/.fuzz ## Run what takes hours: false alarms, delays, peers, fuzzers, endurance
	$(BIN)/python -m tests.soak $(ARGS)

clean: ## Remove .venv, builds and caches
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# .venv/.test says that the extra `test` is installed as pyproject.toml has it now.
$(VENV)/.%: pyproject.toml
	@$(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || $(MAKE) --no-print-directory venv
	@echo "Installing mlmon-exporter[$*] into $(VENV): the first time, this takes a minute or two"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# Finds faults of accessibility for tests/page; not installed with the tests, since it comes from npm.
AXE := 4.14.1
AXE_SHA256 := 29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
build/axe.min.js: Makefile
	mkdir -p build
	cd build && npm pack --silent axe-core@$(AXE)
	cd build && tar -xzOf axe-core-$(AXE).tgz package/axe.min.js > axe.part
	cd build && echo "$(AXE_SHA256)  axe.part" | sha256sum --check --quiet
	cd build && mv axe.part axe.min.js && rm axe-core-$(AXE).tgz

.PHONY: venv
venv:
	@"$(PYTHON)" -c 'import ensurepip, venv; $(NEW_ENOUGH)' 2>/dev/null || { \
		echo "make: PYTHON: expected Python 3.11 or newer with venv, got '$(PYTHON)';" \
		"install one (on Debian: python3 and python3-venv) or run make PYTHON=/path/to/python3.11" >&2; \
		exit 2; }
	"$(PYTHON)" -m venv --clear $(VENV)
