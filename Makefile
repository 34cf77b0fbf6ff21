# Two commands: `make demo` shows what the package does, `make test` proves it. Both make the environment first.
# `make bench` measures its speed as ratios: DEVICE=cuda on a GPU, GROUPS="decoding table" for some of it.
PYTHON ?= python3.11
VENV := .venv
DEVICE ?= cpu
GROUPS ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test bench lint clean

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m maskgit_lab.train experiment=cosine

test: $(STAMP)
	$(BIN)/python -m pytest

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run $(GROUPS) --device $(DEVICE)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) runs multirun .pytest_cache .mypy_cache .ruff_cache
