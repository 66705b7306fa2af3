#!/usr/bin/env bash
# Copy the results of a finished run in this folder; called by benchmarks/ectsum.sh and german_transfer.sh.
#   benchmarks/keep_results.sh FOLDER
set -euo pipefail
mkdir -p "$1"
rm -rf "$1/metrics"
cp -r params.yaml dvc.lock metrics reports/report.html reports/report.md reports/*.svg "$1/"
echo "results: $1"
