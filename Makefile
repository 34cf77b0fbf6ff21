# Two commands: `make demo` shows what the package does, `make test` proves it. Both make the environment first.
PYTHON ?= python3.11
VENV := .venv
DEVICE ?= cpu
GROUPS ?=
ISA ?=
KIND ?=
WHOLE ?=
QUICK := -m "not slow and not thorough" --ignore=tests/commands --ignore=tests/test_notebooks.py
LOWEST := .venv-lowest
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test browser quick commands compat faults bench docs format lint clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]'
	touch $(STAMP)

demo: $(STAMP)  ## both stages on the embedded data: trains, fills, scores, draws
	$(BIN)/python -m maskgit_lab.train experiment=cosine

test: $(STAMP) browser  ## every test
	$(BIN)/python -m pytest

# bounded in time, and deaf: a question of apt's would never be answered
browser:  ## a browser for the tests of the page, by apt; axe-core too, by npm; without them those tests are skipped
	@found() { command -v chromium || command -v chromium-browser || command -v google-chrome; } > /dev/null 2>&1; \
	  bounded() { timeout -k 10 "$$@"; } < /dev/null > /dev/null 2>&1; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  found || { bounded 60 apt-get -qq update -o Acquire::http::Timeout=10 -o Acquire::Retries=0 && \
	    bounded 240 apt-get -qq install --yes --no-install-recommends chromium; }; \
	  if ! found; then echo "no chromium: browser tests are skipped"; exit 0; fi; \
	  test -f node_modules/axe-core/axe.min.js || bounded 60 npm install --no-save --no-package-lock --silent axe-core@4 || \
	    echo "no axe-core: browser tests leave its rules out"

quick: $(STAMP)  ## the fast tests, within a minute
	$(BIN)/python -m pytest $(QUICK)

commands: $(STAMP)  ## every command of README and documentation, run small
	$(BIN)/python -m pytest -m "" --numprocesses=2 tests/test_documented_commands.py tests/test_documented_runs.py tests/test_installed.py

# old releases call what newer ones of theirs deprecate; that is not ours to mend
compat: $(LOWEST)/.installed  ## the fast tests with exactly the lowest versions that pyproject.toml allows; WHOLE=1 for every test
	$(LOWEST)/bin/python -m pytest -W ignore::DeprecationWarning -W ignore::FutureWarning $(if $(WHOLE),,$(QUICK))

$(LOWEST)/.installed: pyproject.toml tests/compat.py
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python tests/compat.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --disable-pip-version-check --quiet -r $(LOWEST)/lowest.txt --editable .
	touch $@

faults: $(STAMP)  ## kills, full disks, flipped bits, hostile and broken files: what survives; KIND="kills fuzz" for some of it
	$(BIN)/python -m tests.faults $(KIND)

bench: $(STAMP)  ## speed as ratios; DEVICE=cuda on a GPU, GROUPS="decoding table" for some of it, ISA=avx2 as on narrower processors
	$(BIN)/python -m benchmarks.run $(GROUPS) --device $(DEVICE) $(if $(ISA),--isa $(ISA))

docs: $(STAMP)  ## the documentation as a site, in site/; every link is checked
	$(BIN)/python -m tools.configuration_reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "site/index.html; with search: $(BIN)/python -m http.server --directory site"

format: $(STAMP)  ## put the code in form
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lint: $(STAMP)  ## form, docstrings, types (also as on macOS and Windows)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pydoclint --quiet src
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin src/maskgit_lab
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 src/maskgit_lab

clean:  ## remove the environment, runs and caches
	rm -rf $(VENV) $(LOWEST) site runs multirun .pytest_cache .mypy_cache .ruff_cache
