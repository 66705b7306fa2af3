#!/bin/sh
# Create the environment .venv, or recreate it if its Python does not fit or its creation was
# interrupted. `make` calls it. usage: [PYTHON=python3.12] sh environment.sh [dev]
set -u
cd "$(dirname "$0")" || exit 1
venv=.venv
wanted=${PYTHON:-}
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$PWD/$venv/bin" | paste -sd: -)

die() {
    printf 'environment: %s\n' "$*" >&2
    exit 1
}
version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}
fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
fitting() { # the first Python on the path that fits
    for name in python3 python3.13 python3.12 python3.11; do
        if command -v $name >/dev/null && fits $name; then
            command -v $name
            return
        fi
    done
}
install_hint="install one (apt-get install python3.12 python3.12-venv; brew install python@3.12), then: make repro PYTHON=python3.12"

if [ -n "$wanted" ]; then
    command -v "$wanted" >/dev/null || die "PYTHON is $wanted, but there is no such program; $install_hint"
    if ! fits "$wanted"; then
        other=$(fitting)
        [ -n "$other" ] && install_hint="this machine has one: make repro PYTHON=$(basename "$other")"
        die "PYTHON is $wanted, which is Python $(version "$wanted"), but the pinned packages need 3.11 to 3.13; $install_hint"
    fi
fi

why=
if [ -e $venv ] || [ -L $venv ]; then
    have=$(version $venv/bin/python)
    if [ -z "$have" ]; then
        why="has no working Python"
    elif ! fits $venv/bin/python; then
        why="uses Python $have, but 3.11 to 3.13 are needed"
    elif [ -n "$wanted" ] && [ "$have" != "$(version "$wanted")" ]; then
        why="uses Python $have, but PYTHON is $(version "$wanted")"
    elif ! $venv/bin/python -m pip --version >/dev/null 2>&1; then
        why="has no pip: its creation was interrupted"
    fi
fi
if [ -n "$why" ]; then
    [ -L $venv ] && die "$venv $why, and is a link; remove it: rm $venv"
    echo "$venv $why; recreating it"
fi

if [ -n "$why" ] || [ ! -e $venv ]; then
    python=${wanted:-$(fitting)}
    if [ -z "$python" ]; then
        found="there is no python3"
        command -v python3 >/dev/null && found="python3 is Python $(version python3)"
        die "$found, but 3.11 to 3.13 are needed; $install_hint"
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python cannot make environments: install its venv module (apt-get install python$(version "$python")-venv)"
    rm -rf $venv
    "$python" -m venv $venv || die "$python -m venv $venv failed, see above"
fi
exec $venv/bin/python -B finllm/runtime/installing.py "$@"
