"""Model weights: origin, storage, and the trained parts."""

import logging
import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# oneDNN keeps 0.6 MB for every shape of a product that it has seen, 1,024 of them, and batches of
# changing length have ever new ones. A step needs some 60; read when the first product is made.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # a notice about an optional package
