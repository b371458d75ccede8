# `make` lists the targets. Each one sets up .venv first, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
SEEDS ?= 1
# The first interpreter that is new enough; `make PYTHON=/path/to/python` takes another one
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

.venv/.ready: pyproject.toml constraints.txt
	@[ -x $(BIN)/python ] || [ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, and none was found: install one, or run make PYTHON=/path/to/python." >&2; exit 1; }
	@[ -x $(BIN)/python ] || { echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "installing the course and what it needs into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

.PHONY: lab
lab: .venv/.ready  ## the course, in JupyterLab
	@$(BIN)/tlcourse lab nbs

.PHONY: demo
demo: .venv/.ready  ## what a pretrained backbone is worth (SEEDS=1)
	@$(BIN)/tlcourse demo --seeds $(SEEDS) 2> >($(CALM) >&2)

# The guard in tests/offline refuses every connection that would leave this machine. It is for the checks only: a variable
# of the target `test` would hold for the installation too
OFFLINE := PYTHONPATH="$(CURDIR)/tests/offline$${PYTHONPATH:+:$$PYTHONPATH}"
# Several processes share the processors. Threads of OpenBLAS would wait for each other in loops, and take the time from the others
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# TensorFlow's notices about the machine, which its settings for logs do not reach
CALM := { grep --line-buffered -vE '^(WARNING: All log messages before absl|[IW][0-9]{4} |E[0-9]{4} .*cuInit|To enable the following instructions)' || true; }

PYTEST = $(OFFLINE) $(ONE_THREAD) $(BIN)/python -m pytest --quiet -n 2 --dist worksteal

.PHONY: test
test: .venv/.ready style  ## all checks: style, notebooks, tests; offline
	@echo "== notebooks"
	@set -o pipefail; $(OFFLINE) $(ONE_THREAD) $(BIN)/python tools/notebooks.py 2> >($(CALM) >&2)
	@echo "== tests"
	@$(PYTEST) $(TESTS)

.PHONY: check
check: .venv/.ready style  ## style, and the tests that train nothing: for while you work
	@echo "== tests that train nothing"
	@$(PYTEST) -m "not training" --ignore=tests/browser $(TESTS)

.PHONY: style
style: .venv/.ready
	@echo "== style"
	@$(BIN)/ruff check --quiet .

.PHONY: test-numerics
test-numerics: .venv/.ready  ## the notebooks under other numerics, seeds and settings (hours; ONLY="one thread")
	@$(BIN)/python tools/numerics.py $(if $(ONLY),--only "$(ONLY)") 2> >($(CALM) >&2)

.venv/.ready-for-browser: .venv/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[app,browser]"
	@touch $@

BROWSERS := chromium chromium-browser google-chrome
.PHONY: test-browser
test-browser: .venv/.ready-for-browser  ## the labs in a real browser, which is installed where root may
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
		{ echo "No browser was found. Install one of $(BROWSERS), such as with sudo apt-get install chromium." >&2; exit 1; }; \
		echo "installing Chromium"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
	@$(OFFLINE) NEEDS_BROWSER=1 $(BIN)/python -m pytest --quiet tests/browser

.PHONY: export
export: .venv/.ready  ## tlcourse/ from the notebooks, and the notebooks cleaned
	@$(BIN)/nbdev-export
	@$(BIN)/nbdev-clean

.PHONY: notebooks
notebooks: export  ## run every notebook and keep its outputs (FLAGS=slow: the long experiments too)
	@$(ONE_THREAD) $(BIN)/python tools/notebooks.py --save $(if $(FLAGS),--flags $(FLAGS)) 2> >($(CALM) >&2)
	@$(BIN)/nbdev-clean

.PHONY: readme
readme: .venv/.ready  ## README.md from nbs/index.ipynb
	@$(BIN)/python tools/make_readme.py

.PHONY: bench
bench: .venv/.ready  ## the comparisons in benchmarks/, one after the other
	@for script in benchmarks/*.py; do [ -e "$$script" ] || continue; echo "== $$script"; $(BIN)/python "$$script"; done

.PHONY: pin
pin: .venv/.ready  ## constraints.txt from what .venv holds
	@$(BIN)/python tools/pin.py
	@touch .venv/.ready

.PHONY: clean
clean:  ## remove what was made here, .venv too
	@rm -rf .venv .venv-lowest build dist demo _proc _docs .pytest_cache .ruff_cache
	@find nbs tests tools tlcourse benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

# The oldest Python that pyproject.toml allows has wheels of the oldest packages; PYTHON of the command line or environment goes first
OLDEST = $(if $(filter file,$(origin PYTHON)),$(firstword $(shell command -v python3.11) $(PYTHON)),$(PYTHON))
.PHONY: test-lowest
test-lowest:  ## the tests, with the lowest versions that pyproject.toml allows
	@echo "installing the lowest versions into .venv-lowest"
	@$(OLDEST) -m venv --clear .venv-lowest
	@.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check uv
	@.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --compile-bytecode --resolution lowest-direct -e ".[dev,app]"
	@$(OFFLINE) $(ONE_THREAD) .venv-lowest/bin/python -m pytest --quiet -n 2 --dist worksteal --ignore=tests/browser $(TESTS)
