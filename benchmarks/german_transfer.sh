#!/usr/bin/env bash
# Measure transfer to German and keep the results in docs/results: in a clone of the committed state
# with the project's DVC cache, so that nothing is trained again. Ten minutes on two cores.
#   benchmarks/german_transfer.sh   (after dvc repro)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
export PATH="$root/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1
git clone -q "$root" "$work/run"
cd "$work/run"
dvc config --local cache.dir "$root/.dvc/cache"
dvc exp run -S data.transfer_source=sample_de -S split.max_transfer_examples=0
"$root/benchmarks/keep_results.sh" "$root/docs/results/german-transfer"
rm -rf "$work"
