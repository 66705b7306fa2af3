# The main targets: `make repro` (from raw calls to the verdict) and `make test`.
# PYTHON=python3.12 sets the Python of the environment (3.11 to 3.13); default: the first that fits.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

# Tests of code that is compiled or packed for the processor; they also run with fewer instructions.
KERNEL_TESTS := $(addprefix tests/test_,attention.py float32_path.py fused.py fused_decoder.py \
	generate.py lora_linear.py)

# One test file per process, on up to four processors, in file order: otherwise the longest runs last.
PYTEST := python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: repro help test test-avx2 lint format ectsum reproducibility environment environment-dev clean-venv

repro: environment  ## from raw calls to the verdict
	@python -m finllm repro
	@python -m finllm verdict

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*  ## /\1 /p' Makefile | while read -r name text; do \
		printf '  %-21s %s\n' "make $$name" "$$text"; done

test: environment-dev  ## the whole test suite
	$(PYTEST)

test-avx2: environment-dev  ## the kernels' tests as on a processor with AVX2 only
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES= $(PYTEST) $(KERNEL_TESTS)

lint: environment-dev  ## style and errors, as the CI checks them
	ruff check .
	ruff format --check .

format: environment-dev  ## fix the style
	ruff check --fix .
	ruff format .

ectsum: environment  ## real calls, 15 minutes: make ectsum ECTSUM=FOLDER, which has train/ and val/
	benchmarks/ectsum.sh "$(ECTSUM)"

reproducibility: environment  ## two fresh clones must write the same metrics
	benchmarks/reproducibility.sh

environment:  ## .venv with the pinned packages
	@PYTHON="$(PYTHON)" sh environment.sh

environment-dev:  ## .venv with the development pins as well
	@PYTHON="$(PYTHON)" sh environment.sh dev

clean-venv:  ## remove .venv
	rm -rf $(VENV)
