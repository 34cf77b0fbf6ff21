# Two commands: `make demo` shows what the package does, `make test` proves it. Both make the environment first.
PYTHON ?= python3.11
VENV := .venv
DEVICE ?= cpu
GROUPS ?=
ISA ?=
KIND ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test quick faults bench format lint clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## both stages on the embedded data: trains, fills, scores, draws
	$(BIN)/python -m maskgit_lab.train experiment=cosine

test: $(STAMP)  ## every test
	$(BIN)/python -m pytest

quick: $(STAMP)  ## the fast tests, within a minute
	$(BIN)/python -m pytest -m "not slow and not thorough" --ignore=tests/commands --ignore=tests/test_notebooks.py

faults: $(STAMP)  ## kills, full disks, flipped bits, hostile and broken files: what survives; KIND="kills fuzz" for some of it
	$(BIN)/python -m tests.faults $(KIND)

bench: $(STAMP)  ## speed as ratios; DEVICE=cuda on a GPU, GROUPS="decoding table" for some of it, ISA=avx2 as on narrower processors
	$(BIN)/python -m benchmarks.run $(GROUPS) --device $(DEVICE) $(if $(ISA),--isa $(ISA))

format: $(STAMP)  ## put the code in form
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: $(STAMP)  ## form, docstrings, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pydoclint --quiet src
	$(BIN)/mypy

clean:  ## remove the environment, runs and caches
	rm -rf $(VENV) runs multirun .pytest_cache .mypy_cache .ruff_cache
