#!/usr/bin/env bash
# Run the pipeline on ECTSum and keep the results in docs/results: in a clone of the committed state,
# with a preset, and with the calls linked from a folder. The default takes half an hour on two cores.
#   benchmarks/ectsum.sh FOLDER_OF_ECTSUM [PRESET RESULTS]   (the folder holds train/, val/, test/)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
calls=$(cd "${1:?the folder that holds train/, val/ or test/ of ECTSum}" && pwd)
preset=${2:-cpu-smollm2-ectsum}
results=${3:-ectsum-smollm2-135m}
work=$(mktemp -d)
export PATH="$root/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
git clone -q "$root" "$work/run"
cd "$work/run"
ln -s "$calls" data/raw/ectsum/calls
python -m finllm preset "$preset"
dvc repro
python -m finllm verdict
"$root/benchmarks/keep_results.sh" "$root/docs/results/$results"
rm -rf "$work"
