# Two commands do everything: `make repro` (from raw calls to the verdict) and `make test`.
# PYTHON=python3.12 names the Python of the environment (3.11 to 3.13); else the first that fits.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: repro test lint format ectsum reproducibility environment environment-dev clean-venv

repro: environment  ## from raw calls to the verdict
	@python -m finllm repro
	@python -m finllm verdict

test: environment-dev  ## the whole test suite
	python -m pytest

lint: environment-dev  ## style and errors, as the CI checks them
	ruff check .
	ruff format --check .

format: environment-dev  ## mend the style
	ruff check --fix .
	ruff format .

ectsum: environment  ## real calls, a quarter of an hour: make ectsum ECTSUM=folder with train/ and val/
	benchmarks/ectsum.sh "$(ECTSUM)"

reproducibility: environment  ## two fresh clones must write the same metrics
	benchmarks/reproducibility.sh

environment:  ## .venv with the pinned packages
	@PYTHON="$(PYTHON)" sh environment.sh

environment-dev:  ## and those for tests
	@PYTHON="$(PYTHON)" sh environment.sh dev

clean-venv:
	rm -rf $(VENV)
