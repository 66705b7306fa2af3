"""One adapter per stage of dvc.yaml: read, call the library, write."""

import os
import sys

if not sys.stderr.isatty():  # progress bars are for a terminal; transformers asks when imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
