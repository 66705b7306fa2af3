#!/usr/bin/env bash
# The body of a pull request's comment, on stdout: the report, and what changed since the base.
# usage: .github/scripts/comment.sh BASE > comment.md      (BASE: a branch or a commit, as origin/main)
set -euo pipefail
if [ $# -ne 1 ]; then
    echo "usage: $0 BASE" >&2
    exit 2
fi
cd "$(git rev-parse --show-toplevel)"
base=$(git merge-base "$1" HEAD)
limit=60000  # characters; the platform refuses more than 65536

table() {  # a heading and a table, or a sentence where nothing changed
    local title=$1 rows
    shift
    rows=$("$@")
    if [ "$(printf '%s\n' "$rows" | grep -c '^|')" -le 2 ]; then  # a header alone
        rows="Nothing changed."
    fi
    printf '\n## %s\n\n%s\n' "$title" "${rows//$base/${base:0:7}}"
}

body=$(
    cat reports/report.md
    table "Parameters, against ${base:0:7}" dvc params diff "$base" --md
    table "Metrics, against ${base:0:7}" dvc metrics diff "$base" --md
)
if [ ${#body} -gt $limit ]; then
    body="${body:0:$limit}"$'\n\n'"(cut here: the whole is in reports/report.md and \`dvc metrics diff\`)"
fi
printf '%s\n' "$body"
