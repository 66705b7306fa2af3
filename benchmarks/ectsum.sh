#!/usr/bin/env bash
# The ECTSum run whose results stand under docs/results: a clone of the committed state, the preset,
# the calls linked from the folder that is given, a quarter of an hour on two cores.
#   benchmarks/ectsum.sh FOLDER_OF_ECTSUM   (the folder that holds train/, val/, test/)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
calls=$(cd "${1:?the folder that holds train/, val/ or test/ of ECTSum}" && pwd)
work=$(mktemp -d)
export PATH="$root/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
git clone -q "$root" "$work/run"
cd "$work/run"
ln -s "$calls" data/raw/ectsum/calls
python -m finllm preset cpu-smollm2-ectsum
dvc repro
python -m finllm verdict
"$root/benchmarks/keep_results.sh" "$root/docs/results/ectsum-smollm2-135m"
rm -rf "$work"
