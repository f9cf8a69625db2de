# The two commands are `make demo` and `make test`. Both need Rust, Python 3.11 or newer, make and a C linker;
# what else they need they install from the package registries, into .venv and target.

# Any Python from 3.11 on. Empty: the first one on PATH that can make a virtual environment.
PYTHON ?=

VENV := .venv
BIN := $(VENV)/bin
CANDIDATES := $(or $(PYTHON),python3 python3.15 python3.14 python3.13 python3.12 python3.11 python)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

EXTENSION_SOURCES := Cargo.toml $(wildcard Cargo.lock) pyproject.toml \
	$(shell find crates/faultless/src crates/faultless-py -name '*.rs' -o -name Cargo.toml)

.DELETE_ON_ERROR:
.PHONY: help demo test bench docs lint build dev dist clean

help:
	@echo 'make demo    build the Python package and run examples/tour.py with it, beside the standard module'
	@echo 'make test    run the whole test suite, Rust and Python'
	@echo 'make bench   measure it beside its peers, in under ten minutes; the plots and tables of the pages are made of it'
	@echo 'make docs    build the site of the documentation, target/site/index.html'
	@echo 'make lint    check formatting, lints, documentation and types'
	@echo 'make dist    build what a release publishes into dist, and try it'
	@echo 'make build   build the Python package into $(VENV)'
	@echo 'make dev     install the tools for tests and lints into $(VENV)'
	@echo 'make clean   remove everything that was built or installed'
	@echo
	@echo 'PYTHON=python3.13 chooses the interpreter: after `make clean`, or the first time.'

demo: build
	@$(BIN)/python examples/tour.py

test: dev build
	@.ci/test.sh

bench: build
	@$(BIN)/python bench/run --record
	@bench/plot
	@bench/table --readme

docs: build $(VENV)/.docs
	@.ci/docs.sh

lint:
	@.ci/lint.sh

dist: $(VENV)/.release
	@.ci/dist.sh

build: $(VENV)/.extension

dev: $(VENV)/.dev

clean:
	rm -rf $(VENV) target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find python examples -name __pycache__ -prune -exec rm -rf {} +
	rm -f python/faultless/_native*.so

# A candidate is tried rather than asked for its name: a python3 may be too old, or lack ensurepip
# (on Debian it is a package of its own).
$(VENV)/.python:
	@for python in $(CANDIDATES); do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "$(VENV): $$($$python --version)"; \
			rm -rf $(VENV) && $$python -m venv $(VENV) && touch $@; \
			exit; \
		fi; \
	done; \
	echo 'error: no Python 3.11 or newer with venv among: $(CANDIDATES)' >&2; \
	echo 'Install one (on Debian: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python' >&2; \
	exit 1

# Dependency groups need pip 25.1.
$(VENV)/.build: $(VENV)/.python pyproject.toml
	@echo '$(VENV): installing the build tools'
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --group build
	@touch $@

$(addprefix $(VENV)/., dev docs release): $(VENV)/.%: $(VENV)/.build
	@echo '$(VENV): installing the tools of the group $*'
	@$(PIP) install --group $*
	@touch $@

# The library stands in the source tree, where the stamp does not see that it is gone.
ifeq ($(wildcard python/faultless/_native*.so),)
.PHONY: $(VENV)/.extension
endif
$(VENV)/.extension: $(VENV)/.build $(EXTENSION_SOURCES)
	@cargo --version >/dev/null || { echo 'error: cargo does not run: install Rust 1.85 or newer' >&2; exit 1; }
	@env -u CONDA_PREFIX VIRTUAL_ENV='$(CURDIR)/$(VENV)' $(BIN)/maturin develop --release --group build
	@touch $@
