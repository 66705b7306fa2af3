#!/usr/bin/env bash
# The body of a pull request's comment, on stdout: the verdict and two pictures, and what changed
# since the base. The tables of the report stay in reports/report.md, so the comment is short.
# usage: .github/scripts/comment.sh BASE > comment.md      (BASE: a branch or a commit, as origin/main)
set -euo pipefail
if [ $# -ne 1 ]; then
    echo "usage: $0 BASE" >&2
    exit 2
fi
cd "$(git rev-parse --show-toplevel)"
base=$(git merge-base "$1" HEAD)
shown=40  # rows of a table that is not folded

report() {  # a comment lies in no folder, so its plots need an address, where there is one
    local address="${GITHUB_SERVER_URL:-}/${GITHUB_REPOSITORY:-}/raw/$(git rev-parse HEAD)/reports"
    if [ -n "${GITHUB_REPOSITORY:-}" ]; then
        sed -e '/^<details/,$d' -e "s#](\([a-z]*\.svg\))#]($address/\1)#" reports/report.md
    else
        sed -e '/^<details/,$d' reports/report.md
    fi
}

table() {  # a heading and a table without its padding, folded where it is long; or a sentence
    local title=$1 rows n
    shift
    rows=$("$@" | sed -e 's/  */ /g' -e 's/-\{3,\}/--/g')
    rows=${rows//$base/${base:0:7}}
    n=$(($(printf '%s\n' "$rows" | grep -c '^|') - 2))
    printf '\n## %s\n\n' "$title"
    if [ "$n" -le 0 ]; then
        printf 'Nothing changed.\n'
    elif [ "$n" -le $shown ]; then
        printf '%s\n' "$rows"
    else
        printf '<details><summary>%s rows</summary>\n\n%s\n\n</details>\n' "$n" "$rows"
    fi
}

report
table "Parameters, against ${base:0:7}" dvc params diff "$base" --md --no-path
table "Metrics, against ${base:0:7}" \
    dvc metrics diff "$base" --targets metrics/summary.json --md --no-path
printf '\nEvery metric by template, company and provenance: `reports/report.md`, `metrics/details/`.\n'
