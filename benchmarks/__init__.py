"""Scripts that measure the figures in the documentation; run with ``python -m benchmarks.NAME``."""
