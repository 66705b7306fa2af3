#!/usr/bin/env bash
# Copy what a reader wants of a finished run in this folder; benchmarks/ectsum.sh and german_transfer.sh call it.
#   benchmarks/keep_results.sh FOLDER
set -euo pipefail
mkdir -p "$1"
rm -rf "$1/metrics"
cp -r params.yaml dvc.lock metrics reports/report.html reports/report.md reports/*.svg "$1/"
echo "results: $1"
