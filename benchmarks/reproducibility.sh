#!/usr/bin/env bash
# Two fresh clones of the committed state, two full runs from nothing: the metrics must be the same,
# byte for byte, apart from what they cost (metrics/costs). Uses this repository's .venv. The first run
# finds no compiled kernels and no converted weights, the second those of the first.
#   benchmarks/reproducibility.sh [FOLDER]   (an empty folder in which the clones are to stay)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
export PATH="$root/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 FINLLM_CACHE="$work/cache"
for name in first second; do
    git clone -q "$root" "$work/$name"
    cd "$work/$name"
    rm -rf dvc.lock metrics plots reports # nothing of an earlier run
    started=$(date +%s)
    dvc repro -q
    echo "$name run: $(($(date +%s) - started)) s"
done
cd "$root"
python -m benchmarks.compare_metrics "$work/first/metrics" "$work/second/metrics"
