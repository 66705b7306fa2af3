#!/usr/bin/env bash
# Run the whole pipeline in two fresh clones of the committed state: the metrics must be identical byte
# for byte, except for the costs (metrics/costs). Uses this repository's .venv. The first run starts
# without compiled kernels and converted weights; the second reuses those of the first.
#   benchmarks/reproducibility.sh [FOLDER]   (an empty folder in which the clones are kept)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work"
[ $# -gt 0 ] || trap 'rm -rf "$work"' EXIT
export PATH="$root/.venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 FINLLM_CACHE="$work/cache"
for name in first second; do
    git clone -q "$root" "$work/$name"
    cd "$work/$name"
    rm -rf dvc.lock metrics plots reports # results of an earlier run
    started=$(date +%s)
    dvc repro -q
    echo "$name run: $(($(date +%s) - started)) s"
done
cd "$root"
python -m benchmarks.compare_metrics "$work/first/metrics" "$work/second/metrics"
