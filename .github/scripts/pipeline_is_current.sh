#!/usr/bin/env bash
# Fails when a stage's code, parameters or data changed and its results were not made again.
# It compares with dvc.lock alone: what DVC tracks may be missing, so no cache and no remote are
# needed. Committed metrics, plots and reports are compared by their content.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
said=$(dvc repro --dry --allow-missing --keep-going 2>&1) && failed="" || failed=yes
# a changed stage is "Running", or fails for its missing data, and then hides those after it
stale=$(printf '%s\n' "$said" |
    sed -n -e "s/^Running stage '\(.*\)':$/\1/p" -e "s/^ERROR: failed to reproduce '\(.*\)'.*$/\1/p")
if [ -n "$stale" ]; then
    echo "pipeline_is_current: changed since dvc.lock was written: ${stale//$'\n'/ }" >&2
    echo "run: dvc repro && git add dvc.lock metrics plots reports, and commit" >&2
    exit 1
fi
if [ -n "$failed" ]; then
    printf '%s\n' "$said" >&2
    echo "pipeline_is_current: DVC cannot read the pipeline, see above" >&2
    exit 1
fi
echo "pipeline_is_current: every stage is as dvc.lock says"
