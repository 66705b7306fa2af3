"""Loading, storage, training layers and decoding of the language model."""

import logging
import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# oneDNN caches 0.6 MB for each of the last 1,024 shapes of matrix products, and batches of varying
# length keep adding new shapes. A step needs about 60. The variable is read at the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # a notice about an optional package
