"""Scripts that measure what the documents claim; run them as ``python -m benchmarks.NAME``."""
