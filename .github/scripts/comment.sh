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

report() {  # a comment lies in no folder, so its plots need an address, where there is one
    local address="${GITHUB_SERVER_URL:-}/${GITHUB_REPOSITORY:-}/raw/$(git rev-parse HEAD)/reports"
    if [ -n "${GITHUB_REPOSITORY:-}" ]; then
        sed "s#](\([a-z]*\.svg\))#]($address/\1)#" reports/report.md
    else
        cat reports/report.md
    fi
}

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
    report
    table "Parameters, against ${base:0:7}" dvc params diff "$base" --md
    table "Metrics, against ${base:0:7}" dvc metrics diff "$base" --md
)
if [ ${#body} -gt $limit ]; then
    body="${body:0:$limit}"$'\n\n'"(cut here: the whole is in reports/report.md and \`dvc metrics diff\`)"
fi
printf '%s\n' "$body"
