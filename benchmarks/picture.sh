#!/usr/bin/env bash
# Take the README's picture of the report: its top, in the light scheme, with headless Chromium.
#   benchmarks/picture.sh [REPORT.html] [PICTURE.png]      (CHROMIUM names another browser)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
report=$(realpath "${1:-$root/reports/report.html}")
picture=${2:-$root/docs/images/report.png}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --log-level=3 \
    --force-device-scale-factor=1 --user-data-dir="$work/profile" --window-size=1280,1512 \
    --screenshot="$work/full.png" "file://$report"
"$root/.venv/bin/python" - "$work/full.png" "$picture" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image

full, picture = map(Path, sys.argv[1:])
picture.parent.mkdir(parents=True, exist_ok=True)
Image.open(full).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(picture, optimize=True)
print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")
PYTHON
