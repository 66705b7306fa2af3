"""Weights: where they come from, how they are held, what is trained on them."""

import logging
import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # a notice about an optional package
