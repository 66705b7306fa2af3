"""Scripts that measure the figures in the documentation; run ``python -m benchmarks.NAME``."""
