"""The stages of dvc.yaml, one script each: read the inputs, call the library, write the outputs."""

import os
import sys

from finllm.runtime.environment import outside

try:
    from finllm.runtime import screen
except ModuleNotFoundError as error:
    sys.exit(f"stages: {outside(error)}")

if sys.argv[0] == "-m":  # `python -m stages.NAME` imports this package before the slow imports
    screen.begin()
if not sys.stderr.isatty():  # no progress bars in a log; transformers reads this at import
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
