# Shortcuts for working on vitequiv; CONTRIBUTING.md says what each is for. PYTHON=... picks an environment.
PYTHON ?= .venv/bin/python
MODEL ?= tiny-clip
PHOTOS ?= examples/photos
PAIRS ?= 2

.PHONY: help setup test test-all lint format docs bench

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## make .venv with vitequiv (editable) and all tools
	python3 -m venv .venv
	.venv/bin/python -m pip install --editable '.[dev]'

test: ## the fast tests, about ten minutes on two cores
	$(PYTHON) -m pytest -n auto -m 'not slow'

test-all: ## every test, as .ci/run does
	$(PYTHON) -m pytest -n auto --durations=25

lint: ## formatting, lint and types
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

format: ## rewrite files in the project's format
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

docs: ## the site, in build/site; warnings are errors
	$(PYTHON) -m sphinx -q -W --keep-going -n -b html -d build/doctrees docs build/site

bench: ## passes of every solver; MODEL=hf:DIR PHOTOS=FOLDER PAIRS=8 for a real encoder
	$(PYTHON) -m tests.benchmarks.match --model $(MODEL) --photos $(PHOTOS) --pairs $(PAIRS) --seed 0
