"""One adapter per stage of dvc.yaml: read, call the library, write."""

import os
import sys

from finllm.runtime.environment import outside

try:
    from finllm.runtime import screen
except ModuleNotFoundError as error:
    sys.exit(f"stages: {outside(error)}")

if sys.argv[0] == "-m":  # `python -m stages.NAME` imports this first, and then all that is slow
    screen.begin()
if not sys.stderr.isatty():  # progress bars are for a terminal; transformers asks when imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
